//! From the parser's events to nodes: aliases replaced, merges done, within bounds.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::entries::Entries;
use super::node::{Node, Path, Value};
use super::{MOST_LEVELS, MOST_VALUES, scalar};

/// What is wrong with a text or a document, and on which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its line, from 1.
    pub line: usize,
    /// Where in the document. `None`: the document cannot be read at all.
    pub path: Option<Path>,
    /// What must hold.
    pub sentence: String,
}

/// The documents of a text, empty ones left out, and what is wrong with it.
#[must_use]
pub fn documents(text: &str) -> (Vec<Node>, Vec<Problem>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut composer = Composer::new(text);
    let mut found = Vec::new();
    loop {
        match composer.document() {
            Ok(Some(node)) if node.value == Value::Null => {}
            Ok(Some(node)) => found.push(node),
            Ok(None) => break,
            Err(problem) => {
                composer.problems.push(problem);
                if !matches!(composer.parser.proceed_next_document(), Ok(true)) {
                    break;
                }
            }
        }
    }
    (found, composer.problems)
}

struct Composer<'text> {
    parser: Parser<'text, granit_parser::StrInput<'text>>,
    /// By anchor: what it stands for, how many values that is, and how deep.
    anchors: HashMap<usize, (Node, usize, usize)>,
    values: usize,
    problems: Vec<Problem>,
}

/// A node, with how deep it nests and how many values it is.
struct Composed {
    node: Node,
    height: usize,
    values: usize,
}

impl<'text> Composer<'text> {
    fn new(text: &'text str) -> Self {
        let options = granit_parser::options! {
            emit_comments: false,
            flow_nesting_limit: MOST_LEVELS,
            block_nesting_limit: MOST_LEVELS,
        };
        Self {
            parser: Parser::new_from_str_with_options(text, options),
            anchors: HashMap::new(),
            values: 0,
            problems: Vec::new(),
        }
    }

    fn next(&mut self) -> Result<Option<(Event<'text>, Span)>, Problem> {
        match self.parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => Ok(None),
            Some(Ok(event)) => Ok(Some(event)),
            Some(Err(error)) => Err(unreadable(
                error.marker().line(),
                format!("must be YAML: {}", error.info()),
            )),
        }
    }

    fn document(&mut self) -> Result<Option<Node>, Problem> {
        self.anchors.clear();
        self.values = 0;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => {
                    return self
                        .node(event, &span, &Path::default(), 0)
                        .map(|made| Some(made.node));
                }
            }
        }
        Ok(None)
    }

    fn node(
        &mut self,
        event: Event<'text>,
        span: &Span,
        path: &Path,
        depth: usize,
    ) -> Result<Composed, Problem> {
        let line = span.start.line();
        if depth > MOST_LEVELS {
            return Err(unreadable(
                line,
                format!("must nest at most {MOST_LEVELS} levels"),
            ));
        }
        self.count(1, line)?;
        let (anchor, value, height, values) = match event {
            Event::Alias(anchor) => return self.alias(anchor, line, depth),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let value = tagged(&text, plain, tag.as_deref())
                    .map_err(|sentence| unreadable(line, sentence))?;
                (anchor, value, 0, 1)
            }
            Event::SequenceStart(_, anchor, _) => {
                let (value, height, values) = self.list(path, depth)?;
                (anchor, value, height, values)
            }
            Event::MappingStart(_, anchor, _) => {
                let (value, height, values) = self.map(path, depth)?;
                (anchor, value, height, values)
            }
            _ => {
                return Err(unreadable(
                    line,
                    "must be YAML: a value is missing".to_owned(),
                ));
            }
        };
        let node = Node { line, value };
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), height, values));
        }
        Ok(Composed {
            node,
            height,
            values,
        })
    }

    fn alias(&mut self, anchor: usize, line: usize, depth: usize) -> Result<Composed, Problem> {
        let Some((node, height, values)) = self.anchors.get(&anchor).cloned() else {
            return Err(unreadable(
                line,
                "must not be an alias of something around it".to_owned(),
            ));
        };
        if depth + height > MOST_LEVELS {
            return Err(unreadable(
                line,
                format!("must nest at most {MOST_LEVELS} levels"),
            ));
        }
        self.count(values, line)?;
        let node = Node { line, ..node };
        Ok(Composed {
            node,
            height,
            values,
        })
    }

    /// Aliases of aliases grow by powers: what they stand for is counted.
    fn count(&mut self, more: usize, line: usize) -> Result<(), Problem> {
        self.values = self.values.saturating_add(more);
        if self.values > MOST_VALUES {
            return Err(unreadable(
                line,
                format!("must hold at most {MOST_VALUES} values"),
            ));
        }
        Ok(())
    }

    fn list(&mut self, path: &Path, depth: usize) -> Result<(Value, usize, usize), Problem> {
        let (mut items, mut height, mut values) = (Vec::new(), 0, 1);
        while let Some((event, span)) = self.next()? {
            if event == Event::SequenceEnd {
                return Ok((Value::List(items), height + 1, values));
            }
            let item = self.node(event, &span, &path.index(items.len()), depth + 1)?;
            height = height.max(item.height);
            values += item.values;
            items.push(item.node);
        }
        Err(ended())
    }

    fn map(&mut self, path: &Path, depth: usize) -> Result<(Value, usize, usize), Problem> {
        let (mut entries, mut merged, mut height, mut values) =
            (Entries::default(), Vec::new(), 0, 1);
        while let Some((event, span)) = self.next()? {
            if event == Event::MappingEnd {
                return Ok((Value::Map(entries.merged(merged)), height + 1, values));
            }
            let is_merge =
                matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let name = self.node(event, &span, path, depth + 1)?;
            let line = name.node.line;
            let key = key(name.node)?;
            let Some((event, span)) = self.next()? else {
                return Err(ended());
            };
            let inner = path.key(&key);
            let value = self.node(event, &span, &inner, depth + 1)?;
            height = height.max(value.height);
            values += value.values;
            if is_merge {
                merged.push(value.node);
                continue;
            }
            if entries.put(key, line, value.node) {
                let sentence = "must be there once: this key is there twice".to_owned();
                self.problems.push(Problem {
                    line,
                    path: Some(inner),
                    sentence,
                });
            }
        }
        Err(ended())
    }
}

/// A key is text in JSON.
fn key(node: Node) -> Result<String, Problem> {
    match node.value {
        Value::Text(text) => Ok(text),
        Value::Number(number, _) => Ok(number.to_string()),
        Value::Bool(value, _) => Ok(value.to_string()),
        _ => Err(unreadable(node.line, "must have a word as key".to_owned())),
    }
}

/// The value of a scalar, by its tag if it has one.
fn tagged(text: &str, is_plain: bool, tag: Option<&Tag>) -> Result<Value, String> {
    let Some(tag) = tag else {
        return if is_plain {
            scalar::plain(text)
        } else {
            Ok(Value::Text(text.to_owned()))
        };
    };
    if tag.suffix() == "binary" {
        return Err("must not use the tag !!binary".to_owned());
    }
    match (tag.core_suffix(), scalar::plain(text)?) {
        (Some("null"), value @ Value::Null) | (Some("bool"), value @ Value::Bool(..)) => Ok(value),
        (Some("int" | "float"), value @ Value::Number(..)) => Ok(value),
        (Some(tag @ ("null" | "bool" | "int" | "float")), _) => {
            Err(format!("must be what its tag !!{tag} says"))
        }
        _ => Ok(Value::Text(text.to_owned())),
    }
}

fn unreadable(line: usize, sentence: String) -> Problem {
    Problem {
        line,
        path: None,
        sentence,
    }
}

fn ended() -> Problem {
    unreadable(0, "must be YAML: it ends too early".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> (Vec<serde_json::Value>, Vec<(usize, String)>) {
        let (nodes, problems) = documents(text);
        let said = problems
            .into_iter()
            .map(|problem| (problem.line, problem.sentence));
        (nodes.iter().map(Node::json).collect(), said.collect())
    }

    #[test]
    fn documents_keep_their_lines() {
        let (nodes, problems) =
            documents("# first\na: 1\n---\n\n---\nb:\n- c: {d: x}\n- >-\n  two\n  lines\n");
        assert_eq!(problems, []);
        let second = nodes.get(1).expect("the empty one is left out");
        assert_eq!(
            second.json(),
            json!({"b": [{"c": {"d": "x"}}, "two lines"]})
        );
        for (path, line) in [
            ("b", 6),
            ("b[0].c.d", 7),
            ("b[1]", 9),
            ("b[7].c", 6),
            ("z", 6),
        ] {
            assert_eq!(second.line_of(&Path::parse(path)), line, "{path}");
        }
    }

    #[test]
    fn json_is_yaml_too() {
        let (values, problems) =
            read("\u{feff}{\n\t\"a\": [1, true, null, \"on\"],\n\t\"b\": \"\\u00e9\"\n}\n");
        assert_eq!(problems, []);
        assert_eq!(values, [json!({"a": [1, true, null, "on"], "b": "é"})]);
    }

    #[test]
    fn anchors_aliases_and_merges_are_resolved() {
        let (values, problems) =
            read("a: &a {x: 1, v: 2}\nb: {<<: *a, v: 3}\nc: *a\nd: {<<: [{z: 1}, *a]}\n");
        assert_eq!(problems, []);
        let expected = json!({"a": {"x": 1, "v": 2}, "b": {"v": 3, "x": 1}, "c": {"x": 1, "v": 2}, "d": {"z": 1, "x": 1, "v": 2}});
        assert_eq!(values, [expected]);
    }

    #[test]
    fn a_key_that_is_there_twice_is_told_and_the_last_one_counts() {
        let (values, problems) = read("a: {b: 1,\n c: 2,\n b: 3}\n");
        assert_eq!(values, [json!({"a": {"b": 3, "c": 2}})]);
        assert_eq!(
            problems,
            [(3, "must be there once: this key is there twice".to_owned())]
        );
    }

    #[test]
    fn a_broken_document_does_not_hide_the_next_one() {
        let (values, problems) = read("a: [1\n---\nb: 1\n");
        assert_eq!(values, [json!({"b": 1})]);
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn what_grows_without_end_is_refused() {
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        assert!(!read(&deep).1.is_empty());
        let block: String = (0..5000)
            .map(|level| format!("{}a:\n", " ".repeat(level)))
            .collect();
        assert!(!read(&block).1.is_empty());
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..30 {
            let part = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{part}]\n"));
        }
        assert!(read(&bomb).1[0].1.contains("values"));
        let mut chain = "a0: &a0 [x]\n".to_owned();
        for level in 1..200 {
            chain.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
        }
        assert!(read(&chain).1[0].1.contains("levels"));
        assert!(read("a: &a [*a]\n").1[0].1.contains("alias"));
        let keys: String = (0..150_000)
            .map(|key| format!("k{}: 1\n", key % 75_000))
            .collect();
        assert!(read(&keys).1.len() > 1);
    }

    #[test]
    fn nonsense_is_told_and_never_panics() {
        let text = "apiVersion: v1\nkind: &k App\nspec: {a: [1, 2, *k], b: !!int \"3\", ? [c] : d}\n--- |\n x\n...\n";
        for end in 0..text.len() {
            let _ = documents(&text[..end]);
            for noise in [
                "\0", "\t", "{", "]", "&", "*", "!", "%", "\u{feff}", "- ", ": ", "'", "\"", "|",
                "?",
            ] {
                let _ = documents(&format!("{}{noise}{}", &text[..end], &text[end..]));
            }
        }
    }
}
