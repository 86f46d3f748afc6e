//! Text that comes from outside (a function's log, a command's output, a service's message) on
//! its way to people: no control characters, no flood.

/// How much is told of each cause of an error.
const MAX_CAUSE_CHARS: usize = 500;

/// The text without control characters and terminal escape sequences. Tabs become a space; line
/// ends stay when `\n`.
pub fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\n' => clean.push('\n'),
            '\t' => clean.push(' '),
            c if c.is_control() || is_invisible_direction(c) => {}
            c => clean.push(c),
        }
    }
    clean
}

/// One printable line: line ends become a space, and what goes beyond `max_chars` is cut and
/// marked.
pub fn one_line(text: &str, max_chars: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    capped(&printable(&words.join(" ")), max_chars)
}

/// The chain of causes below an error whose own text names only its kind, in one line.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut chain: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = one_line(&cause.to_string(), MAX_CAUSE_CHARS);
        // Wrappers often repeat what they wrap.
        if chain.last() != Some(&words) {
            chain.push(words);
        }
        next = cause.source();
    }
    if chain.is_empty() { one_line(&error.to_string(), MAX_CAUSE_CHARS) } else { chain.join(": ") }
}

/// The last `max_lines` lines of the text, each printable and at most `max_chars` long.
pub fn last_lines(text: &str, max_lines: usize, max_chars: usize) -> String {
    let lines: Vec<String> = printable(text)
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .map(|line| capped(line, max_chars))
        .collect();
    lines[lines.len().saturating_sub(max_lines)..].join("\n")
}

fn capped(line: &str, max_chars: usize) -> String {
    match line.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}

/// Skips what follows an escape character: `[` parameters and a final letter (CSI), or a string
/// up to its terminator (OSC), or one character.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next_if(|c| !c.is_control()) {
        Some('[') => {
            while chars.next_if(|c| ('\u{20}'..='\u{3f}').contains(c)).is_some() {}
            chars.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
        }
        Some(']') => {
            // A string that is never terminated must not swallow the lines after it.
            while chars.next_if(|c| !c.is_control()).is_some() {}
        }
        _ => {}
    }
}

/// Characters that reorder what follows them: a line must read as it is.
fn is_invisible_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_terminal_gets_through() {
        for (raw, clean) in [
            ("plain", "plain"),
            ("\u{1b}[31;1mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("\u{1b}[2J\u{1b}[Hwiped", "wiped"),
            ("a\rb\u{8}c\u{0}", "abc"),
            ("tab\tbed", "tab bed"),
            ("\u{202e}evil", "evil"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("grüße\n日本", "grüße\n日本"),
        ] {
            assert_eq!(printable(raw), clean, "{raw:?}");
        }
    }

    #[test]
    fn only_the_last_lines_stay_and_long_ones_are_cut() {
        assert_eq!(last_lines("a\n\nb\r\nc\n", 2, 10), "b\nc");
        assert_eq!(last_lines("日本語日本語", 5, 3), "日本語...");
        assert_eq!(one_line("a\n  b\tc", 10), "a b c");
    }

    #[test]
    fn a_chain_of_causes_is_one_line_that_repeats_nothing() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Layer(&'static str, #[source] Option<Box<Layer>>);

        let layer = |words, below| Layer(words, Some(Box::new(below)));
        let root = Layer("refused\u{7}\n(111)", None);
        assert_eq!(causes(&root), "refused (111)");
        let chain = layer("call", layer("connect", layer("connect", root)));
        assert_eq!(causes(&chain), "connect: refused (111)");
    }

    proptest::proptest! {
        #[test]
        fn cleaning_is_total_and_leaves_no_control_character(text in "\\PC*|.*") {
            let clean = printable(&text);
            proptest::prop_assert!(clean.chars().all(|c| c == '\n' || !c.is_control()));
            proptest::prop_assert_eq!(printable(&clean), clean);
        }
    }
}
