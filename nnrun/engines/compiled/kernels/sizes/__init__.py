"""What follows from sizes alone: how arrays lie in memory, tasks, scratch memory, which kernel suits."""
