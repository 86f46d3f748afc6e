//! Search expressions: `{AWS/Lambda,FunctionName} MetricName="Errors" NOT staging`.
//!
//! As the user guide describes them: a metric schema in braces, then terms that match whole names
//! when they are quoted and else runs of tokens, combined by `AND`, `OR`, `NOT` and parentheses.

mod tokens;

use super::home::Home;
use super::store::{MetricKey, Store};
use tokens::{Token, tokens};

/// The longest search, in characters.
const LONGEST: usize = 1_024;
/// The most series that a search finds.
const MOST_FOUND: usize = 500;
/// How deep terms may nest; keeps the parser off the stack's end.
const DEEPEST: usize = 64;

/// A parsed search.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Search {
    schema: Option<Schema>,
    term: Option<Term>,
}

/// The namespace, and, when given, exactly the dimensions that metrics must have.
#[derive(Clone, Debug, PartialEq)]
struct Schema {
    namespace: String,
    dimensions: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Term {
    /// A text in one of a metric's parts, or in the part that is named.
    Has {
        part: Option<String>,
        text: Text,
    },
    Not(Box<Term>),
    And(Vec<Term>),
    Or(Vec<Term>),
}

#[derive(Clone, Debug, PartialEq)]
enum Text {
    /// The whole of a part.
    Exact(String),
    /// Consecutive words of a part, in lower case.
    Words(Vec<String>),
}

impl Search {
    /// Parses a search.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > LONGEST {
            return Err(format!("a search may have {LONGEST} characters"));
        }
        let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
        let schema = parser.schema()?;
        parser.skip_commas();
        let term = if parser.is_at_end() { None } else { Some(parser.either()?) };
        match parser.peek() {
            Some(token) => Err(format!("{token:?} was not expected in a search")),
            None if schema.is_none() && term.is_none() => Err("a search is empty".to_owned()),
            None => Ok(Self { schema, term }),
        }
    }

    /// The metrics it finds, sorted.
    pub(crate) fn find<'a>(&self, store: &'a Store, home: &Home) -> Vec<&'a MetricKey> {
        let keys = store.sorted().into_iter().map(|(key, _)| key);
        keys.filter(|key| self.finds(key, home)).take(MOST_FOUND).collect()
    }

    fn finds(&self, key: &MetricKey, home: &Home) -> bool {
        self.schema.as_ref().is_none_or(|schema| schema.fits(key))
            && self.term.as_ref().is_none_or(|term| term.finds(key, home))
    }
}

impl Schema {
    fn fits(&self, key: &MetricKey) -> bool {
        let names = || key.dimensions.iter().map(|(name, _)| name);
        self.namespace == key.namespace
            && (self.dimensions.is_empty()
                || (names().count() == self.dimensions.len()
                    && names().all(|name| self.dimensions.contains(name))))
    }
}

impl Term {
    fn finds(&self, key: &MetricKey, home: &Home) -> bool {
        match self {
            Self::Not(inner) => !inner.finds(key, home),
            Self::And(terms) => terms.iter().all(|term| term.finds(key, home)),
            Self::Or(terms) => terms.iter().any(|term| term.finds(key, home)),
            Self::Has { part: None, text } => {
                let mut names = key.dimensions.iter().flat_map(|(name, value)| [name, value]);
                text.is_in(&key.namespace)
                    || text.is_in(&key.name)
                    || names.any(|name| text.is_in(name))
            }
            Self::Has { part: Some(part), text } => match part.as_str() {
                "MetricName" => text.is_in(&key.name),
                "Namespace" => text.is_in(&key.namespace),
                ":aws.AccountId" => text.is_in(&home.account),
                name => key.dimensions.iter().any(|(own, value)| own == name && text.is_in(value)),
            },
        }
    }
}

impl Text {
    fn is_in(&self, name: &str) -> bool {
        match self {
            Self::Exact(text) => text == name,
            Self::Words(words) => {
                let own = tokens::words(name);
                // The name as a whole, without what separates its words, is a token too.
                own.windows(words.len().max(1)).any(|run| run == words)
                    || words.concat() == own.concat()
            }
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn is_at_end(&self) -> bool {
        self.next >= self.tokens.len()
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn skip(&mut self, wanted: &Token) -> bool {
        let found = self.peek() == Some(wanted);
        self.next += usize::from(found);
        found
    }

    fn skip_commas(&mut self) {
        while self.skip(&Token::Symbol(',')) {}
    }

    fn skip_word(&mut self, word: &str) -> bool {
        self.skip(&Token::Word(word.to_owned()))
    }

    fn schema(&mut self) -> Result<Option<Schema>, String> {
        if !self.skip(&Token::Symbol('{')) {
            return Ok(None);
        }
        let mut names = Vec::new();
        loop {
            match self.take() {
                Some(Token::Word(name) | Token::Quoted(name)) => names.push(name),
                Some(Token::Symbol(',')) => {}
                Some(Token::Symbol('}')) => break,
                _ => return Err("the schema of a search is not closed".to_owned()),
            }
        }
        if names.is_empty() {
            return Err("the schema of a search needs a namespace".to_owned());
        }
        let namespace = names.remove(0);
        Ok(Some(Schema { namespace, dimensions: names }))
    }

    fn either(&mut self) -> Result<Term, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("a search nests deeper than {DEEPEST} levels"));
        }
        let mut terms = vec![self.both()?];
        while self.skip_word("OR") {
            terms.push(self.both()?);
        }
        self.depth -= 1;
        Ok(if terms.len() == 1 { terms.remove(0) } else { Term::Or(terms) })
    }

    /// Terms side by side must all hold, with or without `AND` between them.
    fn both(&mut self) -> Result<Term, String> {
        let mut terms = vec![self.single()?];
        loop {
            self.skip_commas();
            let ends = matches!(self.peek(), None | Some(Token::Symbol(')')))
                || self.peek() == Some(&Token::Word("OR".to_owned()));
            if ends {
                break;
            }
            self.skip_word("AND");
            terms.push(self.single()?);
        }
        Ok(if terms.len() == 1 { terms.remove(0) } else { Term::And(terms) })
    }

    fn single(&mut self) -> Result<Term, String> {
        if self.skip_word("NOT") {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err(format!("a search nests deeper than {DEEPEST} levels"));
            }
            let inner = self.single()?;
            self.depth -= 1;
            return Ok(Term::Not(Box::new(inner)));
        }
        match self.take() {
            Some(Token::Symbol('(')) => {
                let inner = self.either()?;
                let is_closed = self.skip(&Token::Symbol(')'));
                is_closed.then_some(inner).ok_or("a parenthesis is not closed".to_owned())
            }
            Some(Token::Word(name)) if self.skip(&Token::Symbol('=')) => self.named(name),
            Some(Token::Quoted(name)) if self.skip(&Token::Symbol('=')) => self.named(name),
            Some(Token::Word(word)) => Ok(Term::Has { part: None, text: words(&word) }),
            Some(Token::Quoted(text)) => Ok(Term::Has { part: None, text: Text::Exact(text) }),
            Some(Token::Symbol(symbol)) => Err(format!("'{symbol}' was not expected in a search")),
            None => Err("a search ends where a term is needed".to_owned()),
        }
    }

    fn named(&mut self, part: String) -> Result<Term, String> {
        let text = match self.take() {
            Some(Token::Word(word)) => words(&word),
            Some(Token::Quoted(text)) => Text::Exact(text),
            _ => return Err(format!("{part}= needs a value")),
        };
        Ok(Term::Has { part: Some(part), text })
    }
}

fn words(word: &str) -> Text {
    Text::Words(tokens::words(word))
}

#[cfg(test)]
mod tests;
