import sys
from pathlib import Path

# what this suite shares with the other crash suites
sys.path.insert(0, str(Path(__file__).parents[1]))
