//! The grammar of metric math.
//!
//! Loosest to tightest: `OR`, `AND`, comparisons, `+ -`, `* /`, unary `-`, `^` (to the right).
//! Names of functions are upper case, ids start in lower case.

use super::{Operator, Reason};

/// How deep parentheses, calls and operators may nest; keeps evaluation off the stack's end.
const DEEPEST: usize = 64;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    /// A number.
    Number(f64),
    /// A quoted string, as in `METRICS("errors")`.
    Text(String),
    /// The id of a metric or of another expression.
    Id(String),
    /// An upper-case word that is no call, as in `FILL(m1, REPEAT)`.
    Word(String),
    /// `-x`.
    Negate(Box<Expression>),
    /// `[a, b]`.
    Array(Vec<Expression>),
    /// `a + b` and its like.
    Binary(Operator, Box<Expression>, Box<Expression>),
    /// `SUM(a)`.
    Call(String, Vec<Expression>),
}

impl Expression {
    /// Whether it is a search and nothing else.
    pub(crate) fn is_search(&self) -> bool {
        matches!(self, Self::Call(name, _) if name == "SEARCH")
    }

    /// Whether there is a search anywhere in it.
    pub(crate) fn has_search(&self) -> bool {
        self.is_search()
            || match self {
                Self::Negate(inner) => inner.has_search(),
                Self::Array(items) | Self::Call(_, items) => items.iter().any(Self::has_search),
                Self::Binary(_, left, right) => left.has_search() || right.has_search(),
                _ => false,
            }
    }

    /// All ids it mentions.
    pub(crate) fn ids(&self) -> Vec<&str> {
        match self {
            Self::Id(id) => vec![id],
            Self::Number(_) | Self::Text(_) | Self::Word(_) => Vec::new(),
            Self::Negate(inner) => inner.ids(),
            Self::Array(items) | Self::Call(_, items) => items.iter().flat_map(Self::ids).collect(),
            Self::Binary(_, left, right) => {
                let mut ids = left.ids();
                ids.extend(right.ids());
                ids
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Text(String),
    Name(String),
    Symbol(&'static str),
}

/// Longer symbols first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 18] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "^", "(", ")", "[", "]", ",",
];

/// Parses an expression.
pub(crate) fn parse(text: &str) -> Result<Expression, Reason> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
    let expression = parser.either()?;
    match parser.peek() {
        None => Ok(expression),
        Some(token) => Err(format!("{} was not expected", describe(token))),
    }
}

fn describe(token: &Token) -> String {
    match token {
        Token::Number(number) => format!("the number {number}"),
        Token::Text(text) => format!("the string \"{text}\""),
        Token::Name(name) => format!("the name {name}"),
        Token::Symbol(symbol) => format!("'{symbol}'"),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, Reason> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = if first.is_ascii_digit() || first == '.' {
            number(rest)?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest
                .find(|next: char| !next.is_ascii_alphanumeric() && next != '_')
                .unwrap_or(rest.len());
            (Token::Name(rest[..end].to_owned()), end)
        } else if first == '"' || first == '\'' {
            let end = rest[1..].find(first).ok_or("a string is not closed")?;
            (Token::Text(rest[1..=end].to_owned()), end + 2)
        } else {
            let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
            let symbol = symbol.ok_or_else(|| format!("the character '{first}' means nothing"))?;
            (Token::Symbol(symbol), symbol.len())
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn number(rest: &str) -> Result<(Token, usize), Reason> {
    let digits = |from: usize| {
        rest[from..].find(|next: char| !next.is_ascii_digit()).map_or(rest.len(), |end| from + end)
    };
    let mut end = digits(0);
    if rest[end..].starts_with('.') {
        end = digits(end + 1);
    }
    if rest[end..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    let value: f64 = rest[..end].parse().map_err(|_| format!("'{}' is no number", &rest[..end]))?;
    if value.is_finite() {
        Ok((Token::Number(value), end))
    } else {
        Err(format!("the number {} is too large", &rest[..end]))
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

    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn skip(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(next)) if *next == symbol);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Reason> {
        if self.skip(symbol) {
            return Ok(());
        }
        match self.peek() {
            Some(token) => Err(format!("expected '{symbol}', found {}", describe(token))),
            None => Err(format!("expected '{symbol}' at the end")),
        }
    }

    fn either(&mut self) -> Result<Expression, Reason> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("it nests deeper than {DEEPEST} levels"));
        }
        let expression = self.chain(&[("||", Operator::Or), ("OR", Operator::Or)], |parser| {
            parser.chain(&[("&&", Operator::And), ("AND", Operator::And)], Self::comparison)
        });
        self.depth -= 1;
        expression
    }

    fn comparison(&mut self) -> Result<Expression, Reason> {
        self.chain(
            &[
                ("==", Operator::Equal),
                ("!=", Operator::NotEqual),
                ("<=", Operator::LessOrEqual),
                (">=", Operator::GreaterOrEqual),
                ("<", Operator::Less),
                (">", Operator::Greater),
            ],
            |parser| {
                parser.chain(&[("+", Operator::Add), ("-", Operator::Subtract)], |parser| {
                    let product = [("*", Operator::Multiply), ("/", Operator::Divide)];
                    parser.chain(&product, Self::unary)
                })
            },
        )
    }

    /// Operands joined by operators of one level, to the left.
    fn chain(
        &mut self,
        operators: &[(&str, Operator)],
        operand: impl Fn(&mut Self) -> Result<Expression, Reason>,
    ) -> Result<Expression, Reason> {
        let mut left = operand(self)?;
        let mut joined = 0;
        while let Some(operator) = self.operator(operators) {
            joined += 1;
            // A long chain nests to the left, and evaluation follows it down.
            if joined > 8 * DEEPEST {
                return Err("it joins too many values".to_owned());
            }
            let right = operand(self)?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn operator(&mut self, operators: &[(&str, Operator)]) -> Option<Operator> {
        let spelled = match self.peek()? {
            Token::Symbol(symbol) => *symbol,
            Token::Name(name) => name.as_str(),
            _ => return None,
        };
        let found = operators.iter().find(|(symbol, _)| *symbol == spelled)?.1;
        self.next += 1;
        Some(found)
    }

    fn unary(&mut self) -> Result<Expression, Reason> {
        if !self.skip("-") {
            return self.power();
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("it nests deeper than {DEEPEST} levels"));
        }
        let inner = self.unary()?;
        self.depth -= 1;
        Ok(Expression::Negate(Box::new(inner)))
    }

    fn power(&mut self) -> Result<Expression, Reason> {
        let base = self.primary()?;
        if !self.skip("^") {
            return Ok(base);
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("it nests deeper than {DEEPEST} levels"));
        }
        let exponent = self.unary()?;
        self.depth -= 1;
        Ok(Expression::Binary(Operator::Power, Box::new(base), Box::new(exponent)))
    }

    fn primary(&mut self) -> Result<Expression, Reason> {
        match self.take() {
            Some(Token::Number(number)) => Ok(Expression::Number(number)),
            Some(Token::Text(text)) => Ok(Expression::Text(text)),
            Some(Token::Symbol("(")) => {
                let inner = self.either()?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(Token::Symbol("[")) => Ok(Expression::Array(self.list("]")?)),
            Some(Token::Name(name)) if self.skip("(") => {
                Ok(Expression::Call(name, self.list(")")?))
            }
            Some(Token::Name(name))
                if name.starts_with(|first: char| first.is_ascii_lowercase()) =>
            {
                Ok(Expression::Id(name))
            }
            Some(Token::Name(name)) => Ok(Expression::Word(name)),
            Some(token) => Err(format!("{} was not expected", describe(&token))),
            None => Err("it ends where a value is needed".to_owned()),
        }
    }

    fn list(&mut self, end: &str) -> Result<Vec<Expression>, Reason> {
        let mut items = Vec::new();
        if self.skip(end) {
            return Ok(items);
        }
        loop {
            items.push(self.either()?);
            if self.skip(end) {
                return Ok(items);
            }
            self.expect(",")?;
        }
    }
}
