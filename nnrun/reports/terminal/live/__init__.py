"""What the terminal shows while runs go on: progress bars and forming leaderboards."""
