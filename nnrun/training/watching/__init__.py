"""What `training.watch` records of a network while it trains: `Watch` makes it, `Watched` holds it.

Nothing here touches a random stream of the run or its arrays, so that its bits are the same.
"""
