//! Which names an entry may have.
//!
//! The same law for what is built and for what is taken: a name is a relative path that means the
//! same on every system, and no two names fall together when they are unpacked. Pure: nothing here
//! touches a file system.

use std::collections::HashMap;

use crate::error::NameFault;

/// The longest name of an entry in bytes: Linux's PATH_MAX, and Lambda runs Linux.
pub(crate) const NAME_BYTES_MAX: usize = 4096;

/// Checks one entry's name; a trailing slash (a directory) is accepted.
pub(crate) fn check(name: &[u8]) -> Result<&str, NameFault> {
    let text = std::str::from_utf8(name).map_err(|_| NameFault::NotUtf8)?;
    let path = text.strip_suffix('/').unwrap_or(text);
    if text.len() > NAME_BYTES_MAX {
        return Err(NameFault::TooLong);
    }
    if text.is_empty() {
        return Err(NameFault::Empty);
    }
    if text.contains('\0') {
        return Err(NameFault::Nul);
    }
    if text.contains('\\') {
        return Err(NameFault::Backslash);
    }
    if text.starts_with('/') {
        return Err(NameFault::Absolute);
    }
    if let [letter, b':', ..] = path.as_bytes()
        && letter.is_ascii_alphabetic()
    {
        return Err(NameFault::Drive);
    }
    for component in path.split('/') {
        match component {
            ".." => return Err(NameFault::Parent),
            "." | "" => return Err(NameFault::Redundant),
            _ => {}
        }
    }
    Ok(text)
}

/// Pairs of different names of which only one could exist in a case-insensitive file system, or of
/// which one is a file and the other needs a directory in its place. Names of directories end with
/// a slash and may repeat what files imply.
pub(crate) fn conflicts<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
) -> Vec<(&'a str, &'a str)> {
    let mut files: HashMap<String, &str> = HashMap::new();
    let mut found = Vec::new();
    for name in names.clone().filter(|name| !name.ends_with('/')) {
        let first = *files.entry(fold(name)).or_insert(name);
        if first != name {
            found.push((name, first));
        }
    }
    for name in names {
        let folded = fold(name);
        let in_the_way = folded.match_indices('/').find_map(|(at, _)| files.get(&folded[..at]));
        if let Some(file) = in_the_way {
            found.push((name, *file));
        }
    }
    found
}

fn fold(name: &str) -> String {
    name.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_relative_path_that_means_the_same_everywhere() {
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        let cases: &[(&[u8], Result<(), NameFault>)] = &[
            (b"app.py", Ok(())),
            (b"dir/", Ok(())),
            (b"a/b c/...", Ok(())),
            ("ж/本".as_bytes(), Ok(())),
            (b"x:y", Err(NameFault::Drive)),
            (b"xx:y", Ok(())),
            (b"", Err(NameFault::Empty)),
            (b"/", Err(NameFault::Absolute)),
            (b"/etc/passwd", Err(NameFault::Absolute)),
            (b"C:/x", Err(NameFault::Drive)),
            (b"..", Err(NameFault::Parent)),
            (b"a/../../b", Err(NameFault::Parent)),
            (b"a/..", Err(NameFault::Parent)),
            (b"./a", Err(NameFault::Redundant)),
            (b"a//b", Err(NameFault::Redundant)),
            (b"a//", Err(NameFault::Redundant)),
            (b"..\\a", Err(NameFault::Backslash)),
            (b"a\0.py", Err(NameFault::Nul)),
            (b"\xff", Err(NameFault::NotUtf8)),
            (long.as_bytes(), Err(NameFault::TooLong)),
        ];
        for (name, expected) in cases {
            assert_eq!(check(name).map(|_| ()), *expected, "{}", name.escape_ascii());
        }
    }

    #[test]
    fn no_two_names_fall_together() {
        let cases: &[(&[&str], usize)] = &[
            (&["a", "b", "a.b", "c/a", "c/b"], 0),
            (&["README", "readme"], 1),
            (&["É", "é"], 1),
            (&["a", "a/b"], 1),
            (&["A", "a/b/c"], 1),
            (&["a/", "a/b", "A/c"], 0),
            (&["a", "a/"], 1),
            (&["META-INF/LICENSE", "META-INF/license/x"], 1),
        ];
        for (names, expected) in cases {
            assert_eq!(conflicts(names.iter().copied()).len(), *expected, "{names:?}");
        }
    }
}
