//! HTML that is put together from elements: their names and the names of attributes are this program's own, and
//! everything else is escaped on its way in, so that no place can forget to.

use std::fmt::Display;

use serde_json::Value;

use super::link::Link;
use crate::core::printable::indented;
use crate::core::text::visible;

/// An element under construction.
#[derive(Debug, Clone)]
pub(super) struct Element {
    name: &'static str,
    attributes: String,
    content: String,
}

/// Elements that have no content, and no end.
const VOID: [&str; 3] = ["meta", "input", "br"];

/// An empty element.
pub(super) fn element(name: &'static str) -> Element {
    Element { name, attributes: String::new(), content: String::new() }
}

impl Element {
    /// With an attribute.
    pub fn with(mut self, attribute: &'static str, value: impl Display) -> Self {
        let value = value.to_string();
        self.attributes.push_str(&format!(" {attribute}=\"{}\"", escaped(&visible(&value))));
        self
    }

    /// With a class.
    pub fn class(self, class: &'static str) -> Self {
        self.with("class", class)
    }

    /// With an attribute that is there or is not.
    pub fn flag(mut self, attribute: &'static str) -> Self {
        self.attributes.push_str(&format!(" {attribute}"));
        self
    }

    /// As a link to a page of others, which learns nothing of this one.
    pub fn to(self, link: &Link<'_>) -> Self {
        self.with("href", link.address()).with("rel", "noreferrer noopener")
    }

    /// With text behind what it has: on one line, and nothing in it hidden.
    pub fn text(mut self, text: &str) -> Self {
        self.content.push_str(&escaped(&visible(text)));
        self
    }

    /// With JSON behind what it has, on many lines; it reads back as the same value.
    pub fn json(mut self, value: &Value) -> Self {
        self.content.push_str(&escaped(&indented(value)));
        self
    }

    /// With a text of this program's own that is no HTML: a style, or a script.
    pub fn raw(mut self, text: &'static str) -> Self {
        self.content.push_str(text);
        self
    }

    /// With an element behind what it has.
    pub fn add(mut self, child: Self) -> Self {
        child.write(&mut self.content);
        self
    }

    /// With elements behind what it has.
    pub fn all(self, children: impl IntoIterator<Item = Self>) -> Self {
        children.into_iter().fold(self, Self::add)
    }

    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        let names = self.name.len().saturating_mul(2).saturating_add("<></>\n".len());
        names.saturating_add(self.attributes.len()).saturating_add(self.content.len())
    }

    /// The HTML of it.
    pub fn html(self) -> String {
        let mut out = String::with_capacity(self.size());
        self.write(&mut out);
        out
    }

    fn write(self, out: &mut String) {
        let Self { name, attributes, content } = self;
        out.push_str(&format!("<{name}{attributes}>"));
        if VOID.contains(&name) {
            return;
        }
        out.push_str(&content);
        out.push_str(&format!("</{name}>"));
        // A line for each part, where a line feed shows nothing.
        if matches!(name, "tr" | "li" | "dd" | "p" | "section" | "g" | "path" | "title" | "style" | "script")
        {
            out.push('\n');
        }
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::is_hidden;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn text_and_values_stay_where_they_are_put() {
        let made = element("p").with("title", "\"><b>").text("<b>&\u{202e}").add(element("br")).html();
        assert_eq!(made, "<p title=\"&quot;&gt;&lt;b&gt;\">&lt;b&gt;&amp;\\u{202e}<br></p>\n");
    }

    /// What a browser makes of character references.
    fn read(text: &str) -> String {
        let signs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
        signs.iter().fold(text.to_owned(), |text, (reference, sign)| text.replace(reference, sign))
    }

    proptest! {
        #[test]
        fn no_text_closes_its_element_or_its_attribute(text in "[<>&\"'/=a! -]{0,24}|\\PC{0,20}|.{0,24}") {
            let made = element("i").with("title", &text).text(&text).json(&json!({&text: &text})).html();
            let rest = made.strip_prefix("<i title=\"").unwrap();
            let (value, content) = rest.split_once("\">").unwrap();
            let content = content.strip_suffix("</i>").unwrap();
            prop_assert!(!value.contains(['<', '>', '"', '\'']), "{}", value);
            prop_assert!(!content.contains(['<', '>', '"', '\'']), "{}", content);
            prop_assert!(!made.chars().any(|c| is_hidden(c) && c != '\n'));
            prop_assert_eq!(read(value), visible(&text).into_owned());
            let shown = read(content);
            let json = shown.strip_prefix(visible(&text).as_ref()).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(json).unwrap(), json!({&text: &text}));
        }
    }
}
