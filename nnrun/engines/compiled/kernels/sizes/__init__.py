"""What sizes alone decide: layout of arrays, tasks, scratch memory, which kernel suits."""
