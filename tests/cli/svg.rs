//! Whether a picture is well-formed XML, as far as our pictures go: elements, attributes, text and entities.

/// Asserts that `text` is one `svg` element in which every tag is closed and every reserved character escaped.
pub fn assert_well_formed(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut roots = 0;
    let mut rest = text.trim();
    while let Some(start) = rest.find('<') {
        let (before, from_tag) = rest.split_at(start);
        assert!(
            !open.is_empty() || before.trim().is_empty(),
            "text outside: {before}"
        );
        assert_escaped(before);
        let end = tag_end(from_tag);
        let tag = &from_tag[1..end];
        rest = &from_tag[end + 1..];
        if tag.starts_with('?') {
            assert!(tag.ends_with('?'), "<{tag}>");
        } else if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}>");
        } else {
            let body = tag.strip_suffix('/').unwrap_or(tag);
            let name = body.split_whitespace().next().expect("a tag has a name");
            if open.is_empty() {
                roots += 1;
                assert_eq!(name, "svg");
            }
            assert_attributes(&body[name.len()..]);
            if body.len() == tag.len() {
                open.push(name);
            }
        }
    }
    assert!(rest.trim().is_empty(), "text after the end: {rest}");
    assert!(open.is_empty(), "never closed: {open:?}");
    assert_eq!(roots, 1);
}

/// Where the `>` of the tag at the start of `text` is.
fn tag_end(text: &str) -> usize {
    let mut quoted = false;
    let end = text.char_indices().find(|&(_, c)| {
        quoted ^= c == '"';
        c == '>' && !quoted
    });
    end.expect("a tag ends").0
}

fn assert_attributes(text: &str) {
    let parts: Vec<&str> = text.split('"').collect();
    assert!(parts.len() % 2 == 1, "a quote is missing:{text}");
    assert!(parts[parts.len() - 1].trim().is_empty(), "{text}");
    for pair in parts[..parts.len() - 1].chunks(2) {
        let name = pair[0].trim().strip_suffix('=').expect("name=value");
        assert!(
            !name.is_empty() && !name.contains(char::is_whitespace),
            "{text}"
        );
        assert_escaped(pair[1]);
    }
}

fn assert_escaped(text: &str) {
    assert!(!text.contains('<'), "{text}");
    for after in text.split('&').skip(1) {
        let entity = after.split(';').next().unwrap_or("");
        let known = ["lt", "gt", "amp", "quot", "apos"].contains(&entity);
        assert!(known || entity.starts_with('#'), "&{after}");
    }
}
