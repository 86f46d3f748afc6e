//! Values of metadata that are no ASCII: in headers they are encoded words (RFC 2047).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const START: &str = "=?UTF-8?";
const END: &str = "?=";

/// The text that a header's value means. AWS: an encoded word is kept as what it stands for.
pub(super) fn decode(value: &str) -> String {
    let word = value.strip_prefix(START).and_then(|rest| rest.strip_suffix(END));
    let bytes = match word.and_then(|word| word.split_once('?')) {
        Some(("B" | "b", text)) => STANDARD.decode(text).ok(),
        Some(("Q" | "q", text)) => unquote(text),
        _ => None,
    };
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| value.to_owned())
}

/// A text as a header's value: as it is, or as an encoded word, Base64 where most of it is no ASCII.
pub(super) fn encode(text: &str) -> String {
    let is_plain = |character: char| matches!(character, '\t' | ' '..='~');
    let plain = text.chars().filter(|character| is_plain(*character)).count();
    match text.chars().count() - plain {
        0 => text.to_owned(),
        others if plain > others => format!("{START}Q?{}{END}", quote(text)),
        _ => format!("{START}B?{}{END}", STANDARD.encode(text)),
    }
}

fn quote(text: &str) -> String {
    let mut quoted = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => quoted.push('_'),
            b'!'..=b'~' if !b"=_?".contains(&byte) => quoted.push(char::from(byte)),
            _ => {
                let _ = write!(quoted, "={byte:02X}");
            }
        }
    }
    quoted
}

fn unquote(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'_' => b' ',
            b'=' => {
                let pair = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_ascii_is_an_encoded_word() {
        for (text, word) in [
            ("plain = _?", "plain = _?"),
            ("ÄMÄZÕÑ S3", "=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?="),
            ("a_—?", "=?UTF-8?Q?a=5F=E2=80=94=3F?="),
            ("\u{0}\u{1}\u{2}\u{3}", "=?UTF-8?B?AAECAw==?="),
        ] {
            assert_eq!(encode(text), word);
            assert_eq!(decode(word), text);
        }
        assert_eq!(decode("=?UTF-8?B?=GGG?="), "=?UTF-8?B?=GGG?=");
        assert_eq!(
            (decode("=?UTF-8?Q?abc?="), decode("=?UTF-8?Q?=X?=")),
            ("abc".into(), "=?UTF-8?Q?=X?=".into())
        );
    }
}
