//! Text from outside (names in files, the system loader's words, a plugin's log) on its way into a
//! message: nothing that acts on a terminal, and no flood.

use std::fmt::{self, Write as _};
use std::path::Path;

/// The most characters of one foreign text in a message: some sentences.
const TEXT_MAX: usize = 1_024;

/// The most items of one list in a message.
const LISTED_MAX: usize = 20;

/// A foreign text on one line: what acts on a terminal is written out as an escape, line ends
/// become spaces, and what goes beyond a limit is cut and marked.
pub(crate) fn clean(text: &str) -> Clean<'_> {
    Clean(text.as_bytes())
}

/// A path, likewise; bytes that are not UTF-8 are written out too.
pub(crate) fn shown(path: &Path) -> Clean<'_> {
    Clean(path.as_os_str().as_encoded_bytes())
}

/// The texts, each in backticks, with commas between them; of many, the first and their number.
pub(crate) fn quoted<T: fmt::Display>(items: impl ExactSizeIterator<Item = T>) -> String {
    let rest = items.len().saturating_sub(LISTED_MAX);
    let shown: Vec<String> = items.take(LISTED_MAX).map(|item| format!("`{item}`")).collect();
    let shown = shown.join(", ");
    if rest == 0 { shown } else { format!("{shown} and {rest} more") }
}

/// See [`clean`] and [`shown`].
pub(crate) struct Clean<'a>(&'a [u8]);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut room = TEXT_MAX;
        for chunk in self.0.trim_ascii().utf8_chunks() {
            for character in chunk.valid().chars() {
                if room == 0 {
                    return f.write_str("...");
                }
                room -= 1;
                match character {
                    '\n' | '\t' => f.write_char(' ')?,
                    c if acts(c) => write!(f, "{}", c.escape_unicode())?,
                    c => f.write_char(c)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "{}", byte.escape_ascii())?;
            }
        }
        Ok(())
    }
}

/// Whether a character does something else than stand there: control characters, direction
/// changes, invisible ones, and separators that some terminals take for line ends.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_acts_is_written_out() {
        assert_eq!(clean("a\x1b[31mb\u{202e}c").to_string(), r"a\u{1b}[31mb\u{202e}c");
        assert_eq!(clean("one\ntwo\tthree\n").to_string(), "one two three");
    }

    #[test]
    fn a_flood_is_cut_and_marked() {
        let text = clean(&"x".repeat(TEXT_MAX + 1)).to_string();
        assert_eq!(text.len(), TEXT_MAX + 3);
        assert!(text.ends_with("x..."));
    }

    proptest! {
        #[test]
        fn no_bytes_get_through_that_act(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(!Clean(&bytes).to_string().chars().any(acts));
        }
    }
}
