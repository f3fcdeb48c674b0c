"""WeChat's small XML: one `xml` element of texts, written and read without any entity."""

from typing import Any
from xml.parsers import expat


class BadXml(ValueError):
    """Something that is not WeChat's XML; the text says why."""


def cdata(text: str) -> str:
    """Wrap a text; an end mark inside it is split over two sections."""
    return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>"


def build(fields: dict[str, Any]) -> bytes:
    """Write fields in their order; numbers stand bare, texts in CDATA."""
    parts = [
        f"<{key}>{value if isinstance(value, int) else cdata(str(value))}</{key}>"
        for key, value in fields.items()
    ]
    return ("<xml>" + "".join(parts) + "</xml>").encode()


class _Reader:
    def __init__(self) -> None:
        self.root: dict[str, Any] | None = None
        self._open: list[tuple[str, dict[str, Any], list[str]]] = []

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._open.append((name, {}, []))

    def text(self, data: str) -> None:
        if self._open:
            self._open[-1][2].append(data)

    def end(self, name: str) -> None:
        _, children, texts = self._open.pop()
        if not self._open:
            if name != "xml":
                raise BadXml(f"the outer element is {name}, not xml")
            self.root = children
            return
        value: Any = children or "".join(texts)
        parent = self._open[-1][1]
        if name not in parent:
            parent[name] = value
        elif isinstance(parent[name], list):
            parent[name].append(value)
        else:
            parent[name] = [parent[name], value]

    def refuse(self, *_: Any) -> None:
        raise BadXml("a document type has no place here")


def parse(raw: bytes) -> dict[str, Any]:
    """Read the fields; nested elements become dicts, repeated ones lists.

    Raises:
        BadXml: it is not well-formed, declares a document type, or its root is not `xml`.
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as error:
        raise BadXml(str(error)) from error
    if reader.root is None:
        raise BadXml("empty")
    return reader.root
