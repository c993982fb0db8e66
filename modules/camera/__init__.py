"""Pictures in, only the ones worth looking at out."""

import os

# OpenCV reads its bound when it is loaded, so it stands before every import of it: a picture of 100 megapixels takes
# 300 MB to decode, which is most of what the container may have. It is then refused by its header.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "64000000")
