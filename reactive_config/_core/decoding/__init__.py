"""The next tree becomes the next value of the user's type, part by part; and what does not fit is named."""
