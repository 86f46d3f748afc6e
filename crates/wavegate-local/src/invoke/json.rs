//! Why an event is no JSON, in the words of the parser that AWS uses.

const VALUE: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// What is wrong with bytes that are no JSON. Where this finds nothing wrong it says what it was told.
pub(super) fn complaint(bytes: &[u8], otherwise: &str) -> String {
    let mut reader = Reader { bytes, at: 0, line: 1, line_start: 0 };
    let problem = reader.document().err();
    let Problem { what, at } =
        problem.unwrap_or_else(|| Problem { what: otherwise.to_owned(), at: reader.at });
    format!("Could not parse payload into json: {what}\n at {}", reader.place(at))
}

/// What is wrong, and where.
struct Problem {
    what: String,
    at: usize,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    line_start: usize,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<(), Problem> {
        self.value()?;
        match self.next_token() {
            Some(byte) => Err(self.unexpected(byte, &format!("expected a valid value {VALUE}"))),
            None => Ok(()),
        }
    }

    fn value(&mut self) -> Result<(), Problem> {
        // Iterative: an event may be nested as deep as it is long.
        let mut open: Vec<(u8, usize)> = Vec::new();
        loop {
            let Some(byte) = self.next_token() else { return Err(self.ended(&open)) };
            match byte {
                b'{' | b'[' => {
                    open.push((byte, self.at));
                    self.at += 1;
                    if self.peek_token() != Some(if byte == b'{' { b'}' } else { b']' }) {
                        if byte == b'{' {
                            self.name(&open)?;
                        }
                        continue;
                    }
                }
                b'"' => self.text("string value")?,
                b'-' | b'0'..=b'9' => self.number(),
                _ => self.word(byte)?,
            }
            if self.close(&mut open)? {
                return Ok(());
            }
        }
    }

    /// Behind a value: ends what it was the last of, and steps over the comma before the next one.
    /// Whether all is ended.
    fn close(&mut self, open: &mut Vec<(u8, usize)>) -> Result<bool, Problem> {
        loop {
            let Some(&(kind, _)) = open.last() else { return Ok(true) };
            let (end, name) = if kind == b'{' { (b'}', "Object") } else { (b']', "Array") };
            let Some(byte) = self.next_token() else { return Err(self.ended(open)) };
            if byte == end {
                self.at += 1;
                open.pop();
            } else if byte == b',' {
                self.at += 1;
                if kind == b'{' {
                    self.name(open)?;
                }
                return Ok(false);
            } else {
                let wanted = format!("was expecting comma to separate {name} entries");
                return Err(self.unexpected(byte, &wanted));
            }
        }
    }

    /// A member's name and its colon.
    fn name(&mut self, open: &[(u8, usize)]) -> Result<(), Problem> {
        match self.next_token() {
            Some(b'"') => self.text("name")?,
            Some(byte) => {
                return Err(self.unexpected(byte, "was expecting double-quote to start field name"));
            }
            None => return Err(self.ended(open)),
        }
        match self.next_token() {
            Some(b':') => self.at += 1,
            Some(byte) => {
                let wanted = "was expecting a colon to separate field name and value";
                return Err(self.unexpected(byte, wanted));
            }
            None => return Err(self.ended(open)),
        }
        Ok(())
    }

    fn text(&mut self, what: &str) -> Result<(), Problem> {
        self.at += 1;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.at += 2,
                Some(byte) if *byte < b' ' => {
                    let wanted =
                        format!("has to be escaped using backslash to be included in {what}");
                    let what = format!("Illegal unquoted character ({}): {wanted}", told(*byte));
                    return Err(Problem { what, at: self.at });
                }
                Some(_) => self.at += 1,
                None if what == "name" => {
                    return Err(self.end("Unexpected end-of-input in field name".to_owned()));
                }
                None => {
                    return Err(self.end(
                        "Unexpected end-of-input: was expecting closing quote for a string value"
                            .to_owned(),
                    ));
                }
            }
        }
    }

    fn number(&mut self) {
        let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
        while self.bytes.get(self.at).is_some_and(is_part) {
            self.at += 1;
        }
    }

    /// `true`, `false` and `null`, and everything that is none of them.
    fn word(&mut self, first: u8) -> Result<(), Problem> {
        if !(first.is_ascii_alphabetic() || first == b'_' || first == b'$') {
            return Err(self.unexpected(first, &format!("expected a valid value {VALUE}")));
        }
        let start = self.at;
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$';
        while let Some(&byte) = self.bytes.get(self.at) {
            if !byte.is_ascii() && !matches!(byte, 0xc2..=0xf4) {
                let what = format!("Invalid UTF-8 start byte {byte:#x}");
                return Err(Problem { what, at: self.at + 1 });
            }
            if !is_part(byte) {
                break;
            }
            self.at += 1;
        }
        let word = String::from_utf8_lossy(&self.bytes[start..self.at]);
        if matches!(&*word, "true" | "false" | "null") {
            return Ok(());
        }
        // The parser has read the byte behind the word, too, if there is one.
        let at = (self.at + 1).min(self.bytes.len());
        Err(Problem { what: format!("Unrecognized token '{word}': was expecting {VALUE}"), at })
    }

    /// The next byte that is no space, where the reader then stands.
    fn next_token(&mut self) -> Option<u8> {
        loop {
            match *self.bytes.get(self.at)? {
                b'\n' => {
                    self.line += 1;
                    self.line_start = self.at + 1;
                }
                b' ' | b'\t' | b'\r' => {}
                byte => return Some(byte),
            }
            self.at += 1;
        }
    }

    fn peek_token(&mut self) -> Option<u8> {
        self.next_token()
    }

    fn unexpected(&self, byte: u8, wanted: &str) -> Problem {
        Problem { what: format!("Unexpected character ({}): {wanted}", told(byte)), at: self.at }
    }

    fn ended(&self, open: &[(u8, usize)]) -> Problem {
        let what = match open.last() {
            Some(&(kind, at)) => format!(
                "Unexpected end-of-input: expected close marker for {} (start marker at {})",
                if kind == b'{' { "Object" } else { "Array" },
                self.place(at)
            ),
            None => "Unexpected end-of-input".to_owned(),
        };
        self.end(what)
    }

    fn end(&self, what: String) -> Problem {
        Problem { what, at: self.bytes.len() }
    }

    fn place(&self, at: usize) -> String {
        // Good enough where what is open began on another line.
        let column = at.saturating_sub(self.line_start) + 1;
        format!(
            "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {}, \
             column: {column}]",
            self.line
        )
    }
}

/// A byte as the parser prints it: as the character of that number.
fn told(byte: u8) -> String {
    let character = char::from(byte);
    if character.is_control() {
        format!("(CTRL-CHAR, code {byte})")
    } else {
        format!("'{character}' (code {byte})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_in_awss_words() {
        let at = |column: usize| {
            format!(
                "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` \
                 disabled); line: 1, column: {column}]"
            )
        };
        for (bytes, what, column) in [
            (&b"n\x87r"[..], "Invalid UTF-8 start byte 0x87".to_owned(), 3),
            (
                b"\x99\xeb,j",
                format!("Unexpected character ((CTRL-CHAR, code 153)): expected a valid value {VALUE}"),
                1,
            ),
            (b"hello", format!("Unrecognized token 'hello': was expecting {VALUE}"), 6),
            (
                b"{a: 1}",
                "Unexpected character ('a' (code 97)): was expecting double-quote to start field name"
                    .to_owned(),
                2,
            ),
            (
                b"[1 2]",
                "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries"
                    .to_owned(),
                4,
            ),
            (
                b"{\"a\": [1, \"b",
                "Unexpected end-of-input: was expecting closing quote for a string value".to_owned(),
                13,
            ),
        ] {
            let told = complaint(bytes, "nothing");
            assert_eq!(told, format!("Could not parse payload into json: {what}{}", at(column)));
        }
        let told = complaint(b"{", "nothing");
        assert!(told.contains("close marker for Object (start marker at [Source"), "{told}");
    }

    #[test]
    fn it_ends_for_whatever_bytes() {
        for length in 0..4_u32 {
            for number in 0..13_u32.pow(length) {
                let bytes: Vec<u8> = (0..length)
                    .map(|at| b"{}[]\",:1nt\\ \n"[(number / 13_u32.pow(at) % 13) as usize])
                    .collect();
                complaint(&bytes, "nothing");
            }
        }
        complaint(&vec![b'['; 100_000], "nothing");
    }
}
