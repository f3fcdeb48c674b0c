"""A stand-in for WeChat, WeChat Pay and Tencent SMS that runs as a process of its own.

It shares no code with the product and none of the libraries the product speaks through, so that an
error in signing or encryption cannot cancel out.
"""
