"""The published language of TIBS: all that services, regions and subscribers may know of each other."""
