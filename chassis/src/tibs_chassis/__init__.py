"""What every service of a node needs and none should write twice."""
