//! What a search, and what a name that is searched, is made of.

/// A token of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A term, a name or an operator.
    Word(String),
    /// A text in double quotes, its escapes resolved.
    Quoted(String),
    /// One of `{}()=,`.
    Symbol(char),
}

/// The tokens of a search.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    const SYMBOLS: [char; 6] = ['{', '}', '(', ')', '=', ','];
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        if next.is_whitespace() {
            continue;
        }
        if SYMBOLS.contains(&next) {
            tokens.push(Token::Symbol(next));
        } else if next == '"' {
            let mut quoted = String::new();
            loop {
                match rest.next() {
                    Some('"') => break,
                    Some('\\') => quoted.extend(rest.next()),
                    Some(other) => quoted.push(other),
                    None => return Err("a quoted text in a search is not closed".to_owned()),
                }
            }
            tokens.push(Token::Quoted(quoted));
        } else {
            let mut word = String::from(next);
            let is_inside =
                |next: &char| !next.is_whitespace() && *next != '"' && !SYMBOLS.contains(next);
            while let Some(other) = rest.next_if(is_inside) {
                word.push(other);
            }
            tokens.push(Token::Word(word));
        }
    }
    Ok(tokens)
}

/// The words of a name, in lower case. Words end at what is no letter or digit, where digits begin
/// or end, and where the case says so: `SDBFailure` is `sdb` and `failure`.
pub(super) fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = Vec::new();
    let mut before: Option<char> = None;
    for (index, letter) in letters.iter().copied().enumerate() {
        if !letter.is_alphanumeric() {
            before = None;
            continue;
        }
        let after = letters.get(index + 1).copied();
        let starts = before.is_none_or(|before| {
            before.is_numeric() != letter.is_numeric()
                || (letter.is_uppercase()
                    && (!before.is_uppercase() || after.is_some_and(char::is_lowercase)))
        });
        if starts {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(letter.to_lowercase());
        }
        before = Some(letter);
    }
    words
}
