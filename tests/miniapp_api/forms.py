"""Forms with a file, as browsers write them."""

_BOUNDARY = "----anju"
CONTENT_TYPE = f"multipart/form-data; boundary={_BOUNDARY}"


def form(content, name, field="file"):
    """Write a form with one file.

    By hand: the test client would spool a large one into a file that nobody closes.
    """
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return head.encode() + content + f"\r\n--{_BOUNDARY}--\r\n".encode()
