"""H.264 and H.265 from RTSP servers, interleaved on one TCP connection, read in bursts while the camera rests.

FFmpeg's own reader takes each RTP packet off the network with three reads, each a wait and a copy: at rest that costs
more than all that is left of the work. Here one read takes what a sixth of a second has brought. Whatever is not
understood (`NotOurs`) is FFmpeg's to read, as are other codecs and transports.
"""
