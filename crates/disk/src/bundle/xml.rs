//! XML without document types, entities or anything else that leads out of it; bounded in size and nodes.

use super::invalid;
use nestbox_model::{Error, Result};
use roxmltree::{Document, Node, ParsingOptions};

const NODES_MAX: u32 = 100_000;

/// # Errors
/// `bundle-invalid` for letters that are none.
pub(super) fn decode(bytes: &[u8]) -> Result<String> {
    let utf_16 = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        char::decode_utf16(units)
            .collect::<Result<String, _>>()
            .map_err(|_| letters())
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf_16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf_16(rest, u16::from_be_bytes),
        _ => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            std::str::from_utf8(bytes)
                .map(str::to_owned)
                .map_err(|_| letters())
        }
    }
}

fn letters() -> Error {
    invalid("it has letters that are no Unicode")
}

/// # Errors
/// `bundle-entities` (it has a document type), `bundle-invalid`.
pub(super) fn parse(text: &str) -> Result<Document<'_>> {
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: NODES_MAX,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text, options).map_err(|error| match error {
        roxmltree::Error::DtdDetected => entities(),
        roxmltree::Error::NodesLimitReached => invalid("it has more elements than any machine needs"),
        error => invalid("it is no complete XML").with_detail("system", error.to_string()),
    })
}

/// It defines entities, by which a small file can become a huge one or read others.
pub(super) fn entities() -> Error {
    Error::unsafe_input(
        "bundle-entities",
        "The machine's description defines entities of its own, by which it could read other files or grow out of all \
         proportion. No program writes such descriptions.",
    )
    .with_hint("Don't use it. Get the machine from its maker again.")
}

/// Reading elements by their names, whatever their namespaces' prefixes are.
pub(super) trait Read<'a, 'input: 'a> {
    fn all(&self, name: &'static str) -> impl Iterator<Item = Node<'a, 'input>>;
    /// The first, if there is one.
    fn first(&self, name: &'static str) -> Option<Node<'a, 'input>> {
        self.all(name).next()
    }
    /// The only one.
    fn only(&self, name: &'static str) -> Result<Option<Node<'a, 'input>>> {
        let mut all = self.all(name);
        let first = all.next();
        match all.next() {
            None => Ok(first),
            Some(_) => Err(invalid(format_args!("it has “{name}” twice"))),
        }
    }
    /// An attribute.
    fn key(&self, name: &str) -> Option<&'a str>;
    /// The text inside the first element of this name.
    fn words(&self, name: &'static str) -> Option<&'a str>;
}

impl<'a, 'input: 'a> Read<'a, 'input> for Node<'a, 'input> {
    fn all(&self, name: &'static str) -> impl Iterator<Item = Node<'a, 'input>> {
        self.children()
            .filter(move |node| node.is_element() && node.tag_name().name() == name)
    }
    fn key(&self, name: &str) -> Option<&'a str> {
        self.attributes()
            .find(|attribute| attribute.name() == name)
            .map(|attribute| attribute.value())
    }
    fn words(&self, name: &'static str) -> Option<&'a str> {
        self.first(name).and_then(|node| node.text()).map(str::trim)
    }
}
