//! Access to members and items, written anew as a filter that fails on what is not there.

use super::language::{NUMBER, OPERAND};
use super::syntax::{Leaf, Reference, Refusal, refuse};
use super::token::{Token, TokenKind};

/// An open bracket.
struct Bracket {
    /// The first token of what stands inside or, for an index, of what is indexed.
    start: usize,
    role: Role,
    open: usize,
    /// The reference whose path an index goes on with.
    reference: Option<usize>,
    around: Level,
}

/// What is still to come where no bracket stands in between.
#[derive(Default, Clone, Copy)]
struct Level {
    /// An inline `if` whose `else` has not come yet.
    inline_if: Option<usize>,
    /// Whether the right side of a `*` has not ended yet.
    product: bool,
    /// Whether what a `for` goes over has not ended yet.
    looped: bool,
}

#[derive(PartialEq, Eq)]
enum Role {
    Group,
    /// Arguments of a filter or test: nothing may be accessed behind it.
    Arguments,
    Index,
    Slice,
}

struct Rewriter<'a> {
    text: &'a str,
    tokens: &'a [Token],
    /// What becomes of each token: parentheses before it, and its text.
    out: Vec<(usize, String)>,
    brackets: Vec<Bracket>,
    level: Level,
    /// The first token of the value that ended just now.
    primary: Option<usize>,
    /// The reference that this value is, while its path is constant.
    reference: Option<usize>,
}

/// Rewrites the inside of one `{{ }}` or `{% %}` into `leaf`.
pub(super) fn rewrite(text: &str, tokens: &[Token], block: bool, leaf: &mut Leaf) -> Result<(), Refusal> {
    let out = tokens.iter().map(|token| (0, text.get(token.range.clone()).unwrap_or_default().to_owned()));
    let out = out.collect();
    let level = Level::default();
    let mut rewriter =
        Rewriter { text, tokens, out, brackets: Vec::new(), level, primary: None, reference: None };
    let mut at = if block { rewriter.statement(leaf)? } else { 0 };
    while at < tokens.len() {
        let ended = rewriter.ended(at)?;
        let next = rewriter.step(at, leaf)?;
        if let Some((_, token)) = rewriter.out.get_mut(at) {
            token.insert_str(0, &ended);
        }
        at = next;
    }
    let ended = rewriter.ended(tokens.len())?;
    for (parentheses, token) in rewriter.out {
        leaf.strict.push(' ');
        leaf.strict.push_str(&"(".repeat(parentheses));
        leaf.strict.push_str(&token);
    }
    leaf.strict.push_str(&ended);
    Ok(())
}

impl<'a> Rewriter<'a> {
    fn text(&self, at: usize) -> &'a str {
        self.tokens.get(at).and_then(|token| self.text.get(token.range.clone())).unwrap_or_default()
    }

    fn is_name(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == TokenKind::Name)
    }

    fn range(&self, at: usize) -> std::ops::Range<usize> {
        self.tokens.get(at).map_or(0..self.text.len(), |token| token.range.clone())
    }

    /// Reads the head of a block; gives the token where its expression begins.
    fn statement(&mut self, leaf: &mut Leaf) -> Result<usize, Refusal> {
        match self.text(0) {
            "if" | "elif" | "else" | "endif" | "endfor" => Ok(1),
            "for" => {
                let mut at = 1;
                while at < self.tokens.len() && self.text(at) != "in" {
                    if self.is_name(at) {
                        leaf.locals.insert(self.text(at).to_owned());
                    }
                    at += 1;
                }
                leaf.locals.insert("loop".to_owned());
                if let Some((parentheses, _)) = self.out.get_mut(at + 1) {
                    *parentheses += 1;
                    self.level.looped = true;
                }
                Ok(at + 1)
            }
            _ => refuse("blocks are `if`, `elif`, `else`, `endif`, `for` and `endfor` only", self.range(0)),
        }
    }

    /// What ends before the token at `at`, as text to put there: the sides of a product, which are numbers,
    /// and what a `for` goes over. An inline `if` ends with its `else`: without one it would give an
    /// undefined value, which tests and filters accept.
    fn ended(&mut self, at: usize) -> Result<String, Refusal> {
        let mut text = String::new();
        let token = self.text(at);
        let last = at >= self.tokens.len();
        let sign = matches!(token, "-" | "+") && matches!(self.text(at.wrapping_sub(1)), "*" | "-" | "+");
        let ends = last
            || matches!(token, "*" | "/" | "//" | "%" | "~" | "," | ":" | ")" | "]" | "}" | "=")
            || matches!(token, "==" | "!=" | "<" | "<=" | ">" | ">=" | "and" | "or" | "in" | "if" | "else")
            || (token == "not" && self.text(at.wrapping_sub(1)) != "is")
            || (matches!(token, "-" | "+") && !sign);
        let times = token == "*";
        let closes = last || matches!(token, "," | ":" | ")" | "]" | "}");
        let filters_loop = token == "if" && self.level.looped;
        let second = token == "if" && !filters_loop;
        if times || (ends && self.level.product) {
            text.push_str(&format!(" | {NUMBER} "));
            self.level.product = times;
        }
        let pending = self.level.inline_if;
        if let Some(inline) = pending.filter(|_| closes || second) {
            return Err(Refusal {
                code: "if-without-else",
                message: "an inline `if` needs its `else`".to_owned(),
                range: self.range(inline),
                hint: Some("`a if b else none` says what it is otherwise; `a and b` is true or false"),
            });
        }
        match token {
            "if" if second => self.level.inline_if = Some(at),
            "else" => self.level.inline_if = None,
            _ => {}
        }
        if self.level.looped && (last || filters_loop) {
            text.push_str(&format!(") | {OPERAND} (\"for\") "));
            self.level.looped = false;
        }
        Ok(text)
    }

    /// Takes the token at `at`; gives the next one to take.
    fn step(&mut self, at: usize, leaf: &mut Leaf) -> Result<usize, Refusal> {
        let Some(token) = self.tokens.get(at) else { return Ok(at + 1) };
        match token.kind {
            TokenKind::Number | TokenKind::Text => self.value(at, None),
            TokenKind::Name if self.text(at) == "recursive" => {
                return refuse("loops are not recursive", self.range(at));
            }
            TokenKind::Name => return Ok(self.name(at, leaf)),
            TokenKind::Sign => return self.sign(at, leaf),
        }
        Ok(at + 1)
    }

    fn value(&mut self, start: usize, reference: Option<usize>) {
        self.primary = Some(start);
        self.reference = reference;
    }

    fn operator(&mut self) {
        self.primary = None;
        self.reference = None;
    }

    fn name(&mut self, at: usize, leaf: &mut Leaf) -> usize {
        match self.text(at) {
            "true" | "false" | "none" | "True" | "False" | "None" => {
                self.value(at, None);
                at + 1
            }
            "is" => {
                self.operator();
                let test = at + 1 + usize::from(self.text(at + 1) == "not");
                if self.is_name(test) {
                    leaf.tests.push((self.text(test).to_owned(), self.range(test)));
                }
                self.arguments(test + 1)
            }
            "and" | "or" | "not" | "in" | "if" | "else" => {
                self.operator();
                at + 1
            }
            _ if self.text(at + 1) == "=" => {
                self.operator();
                at + 2
            }
            name => {
                let reference = Reference {
                    name: name.to_owned(),
                    path: Vec::new(),
                    called: self.text(at + 1) == "(",
                    range: self.range(at),
                };
                leaf.references.push(reference);
                self.value(at, Some(leaf.references.len() - 1));
                at + 1
            }
        }
    }

    fn sign(&mut self, at: usize, leaf: &mut Leaf) -> Result<usize, Refusal> {
        match (self.text(at), self.primary) {
            (".", Some(start)) => return self.member(at, start, leaf),
            ("|", _) => {
                self.operator();
                if self.is_name(at + 1) {
                    let operand = format!("| {OPERAND} (\"{}\") |", self.text(at + 1));
                    self.replace_text(at, &operand);
                    leaf.filters.push((self.text(at + 1).to_owned(), self.range(at + 1)));
                }
                return Ok(self.arguments(at + 2));
            }
            ("[", Some(start)) => self.open(Role::Index, start, at),
            ("(", Some(start)) => self.open(Role::Group, start, at),
            ("[" | "(" | "{", _) => self.open(Role::Group, at, at),
            (":", _) => {
                if let Some(bracket) = self.brackets.last_mut()
                    && bracket.role == Role::Index
                {
                    bracket.role = Role::Slice;
                }
                self.operator();
            }
            (")" | "]" | "}", _) => self.close(at, leaf),
            // Of its sides, whatever they are, text is made unasked and unmeasured.
            ("~", _) => {
                return Err(Refusal {
                    hint: Some("`a + b` for texts, `[a, b] | join` for other values"),
                    ..Refusal::new("there is no operator `~`", self.range(at))
                });
            }
            _ => self.operator(),
        }
        Ok(at + 1)
    }

    /// Opens the arguments of a filter or test, where there are any.
    fn arguments(&mut self, at: usize) -> usize {
        if self.text(at) == "(" {
            self.open(Role::Arguments, at, at);
            return at + 1;
        }
        at
    }

    fn open(&mut self, role: Role, start: usize, open: usize) {
        let around = std::mem::take(&mut self.level);
        self.brackets.push(Bracket { start, role, open, reference: self.reference, around });
        self.operator();
    }

    fn close(&mut self, at: usize, leaf: &mut Leaf) {
        self.operator();
        let Some(Bracket { start, role, open, reference, around }) = self.brackets.pop() else { return };
        self.level = around;
        match role {
            Role::Arguments => {}
            Role::Group => self.value(start, None),
            Role::Slice => {
                self.replace(start, open, &format!("| {OPERAND} (\"slice\")) ["));
                self.value(start, None);
            }
            Role::Index => {
                self.replace(start, open, "| attr (");
                self.replace_text(at, "))");
                let constant = open + 2 == at
                    && self.tokens.get(open + 1).is_some_and(|token| token.kind == TokenKind::Text);
                let key = self.text(open + 1).trim_matches(['"', '\'']);
                let path = reference.and_then(|index| leaf.references.get_mut(index));
                match path {
                    Some(path) if constant && !key.contains('\\') => {
                        path.path.push(key.to_owned());
                        self.value(start, reference);
                    }
                    _ => self.value(start, None),
                }
            }
        }
    }

    fn member(&mut self, at: usize, start: usize, leaf: &mut Leaf) -> Result<usize, Refusal> {
        if !self.is_name(at + 1) {
            return refuse("a name is missing behind the point; an item is `[0]`", self.range(at));
        }
        if self.text(at + 2) == "(" {
            return refuse("values have no methods; use a filter", self.range(at + 1));
        }
        let name = self.text(at + 1).to_owned();
        self.replace(start, at, &format!("| attr (\"{name}\"))"));
        self.replace_text(at + 1, "");
        if let Some(reference) = self.reference.and_then(|index| leaf.references.get_mut(index)) {
            reference.path.push(name);
        }
        Ok(at + 2)
    }

    /// Opens a parenthesis before `start` and puts `text` in the place of the token at `at`.
    fn replace(&mut self, start: usize, at: usize, text: &str) {
        if let Some((parentheses, _)) = self.out.get_mut(start) {
            *parentheses += 1;
        }
        self.replace_text(at, text);
    }

    fn replace_text(&mut self, at: usize, text: &str) {
        if let Some((_, out)) = self.out.get_mut(at) {
            text.clone_into(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::read;

    fn strict(text: &str) -> String {
        let spaced = read(text).unwrap().strict;
        spaced.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn references(text: &str) -> Vec<String> {
        let references = read(text).unwrap().references;
        references
            .into_iter()
            .map(|one| std::iter::once(one.name).chain(one.path).collect::<Vec<_>>().join("."))
            .collect()
    }

    #[test]
    fn every_access_becomes_strict() {
        for (text, expected) in [
            ("{{ a.b }}", r#"{{ (a | attr ("b")) }}"#),
            ("{{ -a.b }}", r#"{{ - (a | attr ("b")) }}"#),
            ("{{ a.b.c == 'x' }}", r#"{{ ((a | attr ("b")) | attr ("c")) == 'x' }}"#),
            ("{{ a['b'][0] }}", r#"{{ ((a | attr ( 'b' )) | attr ( 0 )) }}"#),
            ("{{ a.b[1:2].c }}", r#"{{ (((a | attr ("b")) | _operand ("slice")) [ 1 : 2 ] | attr ("c")) }}"#),
            ("{{ (a|first).b }}", r#"{{ (( a | _operand ("first") | first ) | attr ("b")) }}"#),
            ("{{ a | join(b.c) }}", r#"{{ a | _operand ("join") | join ( (b | attr ("c")) ) }}"#),
            (
                "{%- for x in a.b -%}{{ x.y }}{% endfor %}",
                r#"{%- for x in ((a | attr ("b")) ) | _operand ("for") -%}{{ (x | attr ("y")) }}{% endfor %}"#,
            ),
            ("{{ a * -b + 1 }}", "{{ a | _number * - b | _number + 1 }}"),
            (
                "{% for x in a or b if x %}{% endfor %}",
                r#"{% for x in (a or b ) | _operand ("for") if x %}{% endfor %}"#,
            ),
            ("{{ {'a': {'b': 1.5}} }}", "{{ { 'a' : { 'b' : 1.5 } } }}"),
        ] {
            assert_eq!(strict(text), expected, "{text}");
        }
    }

    #[test]
    fn references_keep_their_constant_path() {
        for (text, expected) in [
            ("{{ a.b | length > c }}", &["a.b", "c"][..]),
            ("{{ a[1:].b }}", &["a"]),
            ("{{ a['b'].c }}", &["a.b.c"]),
            ("{{ a[b.c].d }}", &["a", "b.c"]),
            ("{% for x in a.b %}{{ x.y }}{{ loop.index }}{{ z }}{% endfor %}", &["a.b", "z"]),
            ("{{ a is not none and b is divisibleby c }}", &["a", "b", "c"]),
            ("{{ a | map(attribute='b') | sort(reverse=c) }}", &["a", "c"]),
            ("{{ 'a.b' + \"{{ c }}\" }}", &[]),
            ("{# {{ a }} #}text a.b", &[]),
            ("{{ a.b if c.d else e }}", &["a.b", "c.d", "e"]),
            ("{{ range(a.b) }}", &["range", "a.b"]),
        ] {
            assert_eq!(references(text), expected, "{text}");
        }
    }

    #[test]
    fn only_one_expression_alone_is_single() {
        for (text, single) in [
            ("{{ a }}", true),
            ("{{ a }}\n", true),
            ("{{ 'x }} {{ y' }}", true),
            (" {{ a }}", false),
            ("{{ a }} ", false),
            ("{{ a }}{{ b }}", false),
            ("{# c #}{{ a }}", false),
            ("{% if a %}{% endif %}", false),
            ("text", false),
        ] {
            assert_eq!(read(text).unwrap().single, single, "{text:?}");
        }
    }

    #[test]
    fn what_the_language_leaves_out_is_refused() {
        for text in [
            "{{ a.b() }}",
            "{% set x = 1 %}",
            "{% raw %}{% endraw %}",
            "{{ a",
            "{{ 'a }}",
            "{% if a }}",
            "{# a",
            "{{ a.0 }}",
            "{{ ä }}",
            "{% %}",
            "{{ a ~ b }}",
            "{% for x in a recursive %}{% endfor %}",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
