//! Splitting a body into its rows as it comes: a JSON array's elements, or lines of NDJSON. At most one row is held.
//!
//! Strict about what is between elements: commas, brackets, what stands behind the end. Whether an element is JSON is not looked at;
//! brackets are counted, so that a bad row does not take the others with it.

/// Longest row, in bytes.
pub(super) const ROW_MAX: usize = 16 * 1024;
/// Deepest nesting of brackets in a row.
const DEPTH_MAX: usize = 64;
const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

/// How rows are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Array,
    Lines,
}

/// One row's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Row {
    Text(Vec<u8>),
    /// Longer than [`ROW_MAX`]; its bytes are gone.
    TooLong,
}

/// Why a body can't be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unsplittable(pub(super) &'static str);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the array's bracket.
    Start,
    /// Behind the bracket: an element, or the end.
    First,
    /// Behind a comma: an element.
    Next,
    Element,
    /// In a text of an element; behind a backslash.
    Text {
        escaped: bool,
    },
    End,
    Line,
}

/// Takes the body piece by piece.
pub(super) struct Splitter {
    state: State,
    row: Vec<u8>,
    is_too_long: bool,
    /// The brackets that are open in the element.
    open: Vec<u8>,
    /// How much of a byte order mark was there at the very beginning; its length once there is no more of it to come.
    at: usize,
}

impl Splitter {
    pub(super) fn new(format: Format) -> Self {
        let state = match format {
            Format::Array => State::Start,
            Format::Lines => State::Line,
        };
        Self { state, row: Vec::new(), is_too_long: false, open: Vec::new(), at: 0 }
    }

    /// The next row that ends in `bytes`, which loses what was read.
    pub(super) fn next_row(&mut self, bytes: &mut &[u8]) -> Result<Option<Row>, Unsplittable> {
        while let Some((&byte, rest)) = bytes.split_first() {
            *bytes = rest;
            if self.is_byte_order_mark(byte) {
                continue;
            }
            if let Some(row) = self.take(byte)? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// The last row, when the body has ended.
    pub(super) fn finish(&mut self) -> Result<Option<Row>, Unsplittable> {
        match self.state {
            State::Line => Ok(self.end_line()),
            State::End => Ok(None),
            State::Start => Err(Unsplittable("The body is empty.")),
            State::First | State::Next | State::Element | State::Text { .. } => {
                Err(Unsplittable("The array has no end."))
            }
        }
    }

    fn is_byte_order_mark(&mut self, byte: u8) -> bool {
        let is_mark = BOM.get(self.at) == Some(&byte);
        self.at = if is_mark { self.at + 1 } else { BOM.len() };
        is_mark
    }

    fn take(&mut self, byte: u8) -> Result<Option<Row>, Unsplittable> {
        match self.state {
            State::Line if byte == b'\n' => return Ok(self.end_line()),
            State::Line => self.keep(byte),
            State::Start | State::First | State::Next | State::End if is_blank(byte) => {}
            State::Start if byte == b'[' => self.state = State::First,
            State::Start => return Err(Unsplittable("The body is not a JSON array.")),
            State::First if byte == b']' => self.state = State::End,
            State::First | State::Next if matches!(byte, b',' | b']') => {
                return Err(Unsplittable("A comma of the array has no element behind it or before it."));
            }
            State::First | State::Next => {
                self.state = State::Element;
                return self.element(byte);
            }
            State::Element => return self.element(byte),
            State::Text { escaped } => {
                self.keep(byte);
                self.state = match (escaped, byte) {
                    (false, b'"') => State::Element,
                    (false, b'\\') => State::Text { escaped: true },
                    _ => State::Text { escaped: false },
                };
            }
            State::End => return Err(Unsplittable("Something stands behind the array.")),
        }
        Ok(None)
    }

    fn element(&mut self, byte: u8) -> Result<Option<Row>, Unsplittable> {
        match byte {
            b'"' => self.state = State::Text { escaped: false },
            b'{' | b'[' if self.open.len() >= DEPTH_MAX => return Err(Unsplittable("A row is nested too deeply.")),
            b'{' => self.open.push(b'}'),
            b'[' => self.open.push(b']'),
            b',' if self.open.is_empty() => {
                self.state = State::Next;
                return Ok(Some(self.end_row()));
            }
            b']' if self.open.is_empty() => {
                self.state = State::End;
                return Ok(Some(self.end_row()));
            }
            b'}' | b']' if self.open.pop() != Some(byte) => {
                return Err(Unsplittable("The brackets of the array do not match."));
            }
            _ => {}
        }
        self.keep(byte);
        Ok(None)
    }

    fn keep(&mut self, byte: u8) {
        if self.row.len() < ROW_MAX {
            self.row.push(byte);
        } else {
            self.is_too_long = true;
        }
    }

    fn end_row(&mut self) -> Row {
        let text = std::mem::take(&mut self.row);
        if std::mem::take(&mut self.is_too_long) { Row::TooLong } else { Row::Text(text) }
    }

    /// The line, unless it is blank.
    fn end_line(&mut self) -> Option<Row> {
        let is_blank = self.row.iter().all(|byte| is_blank(*byte));
        match self.end_row() {
            Row::Text(_) if is_blank => None,
            row => Some(row),
        }
    }
}

/// White space as JSON has it.
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests;
