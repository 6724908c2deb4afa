"""Pin constraints of the boards, one file each in the format of its place-and-route tool."""
