"""What brokers thought of proposed partners."""
