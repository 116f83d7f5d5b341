"""D3: a workplace charges its drivers' cars under one cap, knowing only who has plugged in and what they said."""
