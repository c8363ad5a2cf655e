"""Files of images: found in folders, decoded by Pillow, as a data set or as new rows."""
