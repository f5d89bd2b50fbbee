import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for stand_in.py, which is also run as a program
