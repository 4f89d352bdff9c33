//! A writer of the XML that AWS answers: elements, texts and lists; no attributes but a namespace.

use std::fmt::{Display, Write as _};

/// XML under construction.
#[derive(Debug, Default)]
pub(crate) struct Xml {
    text: String,
}

impl Xml {
    /// A document with the declaration already written.
    pub(crate) fn document() -> Self {
        Self {
            text: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"),
        }
    }

    /// `<name>…</name>` around whatever `inside` writes.
    pub(crate) fn element(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.put(format_args!("<{name}>"));
        inside(self);
        self.put(format_args!("</{name}>"));
    }

    /// The outermost element with its namespace.
    pub(crate) fn root(&mut self, name: &str, namespace: &str, inside: impl FnOnce(&mut Self)) {
        self.put(format_args!("<{name} xmlns=\"{namespace}\">"));
        inside(self);
        self.put(format_args!("</{name}>"));
    }

    /// `<name>value</name>`, the value escaped.
    pub(crate) fn text(&mut self, name: &str, value: impl Display) {
        self.element(name, |xml| xml.escape(&value.to_string()));
    }

    /// The same, left out when there is no value.
    pub(crate) fn optional(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// `<name><member>…</member>…</name>`, as ELB and CloudWatch name list elements.
    pub(crate) fn list<T>(&mut self, name: &str, items: impl IntoIterator<Item = T>, each: impl FnMut(&mut Self, T)) {
        self.list_of(name, "member", items, each);
    }

    /// A list whose elements have a name of their own, as in RDS and S3.
    pub(crate) fn list_of<T>(
        &mut self,
        name: &str,
        element: &str,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) {
        self.element(name, |xml| {
            for item in items {
                xml.element(element, |xml| each(xml, item));
            }
        });
    }

    /// Escaped text without an element around it.
    pub(crate) fn escape(&mut self, value: &str) {
        for character in value.chars() {
            match character {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                // A literal carriage return would come back as a line feed.
                '\r' => self.text.push_str("&#13;"),
                // XML 1.0 has no way at all to write the other control characters.
                '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' => self.text.push('\u{fffd}'),
                other => self.text.push(other),
            }
        }
    }

    /// The finished text.
    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn put(&mut self, part: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        self.text.write_fmt(part).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_lists_and_escapes() {
        let mut xml = Xml::default();
        xml.root("R", "urn:x", |xml| {
            xml.text("A", "<&\">\r\u{1}");
            xml.optional("B", None::<u8>);
            xml.list("L", [1, 2], |xml, n| xml.text("N", n));
            xml.list_of("M", "I", ["i"], Xml::escape);
        });
        assert_eq!(
            xml.finish(),
            "<R xmlns=\"urn:x\"><A>&lt;&amp;&quot;&gt;&#13;\u{fffd}</A>\
             <L><member><N>1</N></member><member><N>2</N></member></L><M><I>i</I></M></R>"
        );
    }
}
