//! Random mutations of the inputs in a corpus.

use std::collections::BTreeSet;
use std::ops::Range;

use fastrand::Rng;

/// The maximum length of a mutated input.
const MAX_LENGTH: usize = 16 * 1024;

/// Bytes that have a meaning in some format.
const BYTES: &[u8] = b"\0\x01\x1f\x7f\x80\xbf\xc3\xef\xff \t\r\n\"'\\,:;=%@!/.+-[]{}()<>#&0189aZ_";

/// Numbers at the limits of types.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "00",
    "127",
    "255",
    "256",
    "65535",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "1e400",
    "0.1",
];

pub(crate) struct Mutator {
    random: Rng,
    corpus: Vec<Vec<u8>>,
    /// Words and separators of the corpus: a dictionary that nobody has to write.
    tokens: Vec<Vec<u8>>,
}

impl Mutator {
    pub(crate) fn new(seed: u64, corpus: Vec<Vec<u8>>) -> Self {
        let tokens: BTreeSet<_> = corpus.iter().flat_map(|input| tokens(input)).collect();
        Self {
            random: Rng::with_seed(seed),
            corpus,
            tokens: tokens.into_iter().collect(),
        }
    }

    /// Returns an input of the corpus with one or more mutations.
    pub(crate) fn next_input(&mut self) -> Vec<u8> {
        let mut input = self.any_input();
        loop {
            self.mutate(&mut input);
            input.truncate(MAX_LENGTH);
            if self.random.u8(..3) == 0 {
                return input;
            }
        }
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        match self.random.u8(..12) {
            0 => {
                if let Some(byte) = self.any_byte(input) {
                    *byte ^= 1 << self.random.u8(..8);
                }
            }
            1 => {
                let new = BYTES[self.random.usize(..BYTES.len())];
                if let Some(byte) = self.any_byte(input) {
                    *byte = new;
                }
            }
            2 => {
                let range = self.any_range(input);
                input.drain(range);
            }
            3 => {
                let length = self.random.usize(..=input.len());
                input.truncate(length);
            }
            4 => {
                // A few short copies, or many, such as nested brackets.
                let range = self.any_range(input);
                let block = input[range.clone()].to_vec();
                let copies = 1 << self.random.u8(..10);
                let room = MAX_LENGTH.saturating_sub(input.len()) / block.len().max(1);
                let copies = block.repeat(room.min(copies));
                input.splice(range.end..range.end, copies);
            }
            5 | 6 => {
                let token = self.any_token();
                let at = self.random.usize(..=input.len());
                input.splice(at..at, token);
            }
            7 => {
                // Replaces a token by another one.
                let token = self.any_token();
                let range = self.any_token_range(input);
                input.splice(range, token);
            }
            8 => {
                let other = self.any_input();
                let range = self.any_range(&other);
                let at = self.random.usize(..=input.len());
                input.splice(at..at, other[range].iter().copied());
            }
            9 => {
                let other = self.any_input();
                let at = self.random.usize(..=other.len());
                let length = self.random.usize(..=input.len());
                input.truncate(length);
                input.extend_from_slice(&other[at..]);
            }
            10 => {
                let number = NUMBERS[self.random.usize(..NUMBERS.len())];
                let range = self.any_number_range(input);
                input.splice(range, number.bytes());
            }
            _ => {
                // Moves a block to another place.
                let range = self.any_range(input);
                let block: Vec<_> = input.drain(range).collect();
                let at = self.random.usize(..=input.len());
                input.splice(at..at, block);
            }
        }
    }

    fn any_input(&mut self) -> Vec<u8> {
        let index = self.random.usize(..self.corpus.len());
        self.corpus[index].clone()
    }

    fn any_byte<'a>(&mut self, input: &'a mut [u8]) -> Option<&'a mut u8> {
        let at = self.random.usize(..input.len().max(1));
        input.get_mut(at)
    }

    /// Returns a range, which is short more often than not.
    fn any_range(&mut self, input: &[u8]) -> Range<usize> {
        let start = self.random.usize(..=input.len());
        let longest = (input.len() - start).min(1 << self.random.u8(..12));
        start..start + self.random.usize(..=longest)
    }

    fn any_token(&mut self) -> Vec<u8> {
        match self.tokens.len() {
            0 => Vec::new(),
            count => self.tokens[self.random.usize(..count)].clone(),
        }
    }

    fn any_token_range(&mut self, input: &[u8]) -> Range<usize> {
        let start = self.random.usize(..=input.len());
        start
            ..start
                + tokens(&input[start..])
                    .next()
                    .map_or(0, |token| token.len())
    }

    /// Returns the range of a number, or an empty range if there is none after a random position.
    fn any_number_range(&mut self, input: &[u8]) -> Range<usize> {
        let from = self.random.usize(..=input.len());
        let is_digit = |byte: &u8| byte.is_ascii_digit();
        let start = input[from..]
            .iter()
            .position(is_digit)
            .map_or(from, |at| from + at);
        let digits = input[start..].iter().take_while(|byte| is_digit(byte));
        start..start + digits.count()
    }
}

/// Splits an input into words and other bytes.
fn tokens(input: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
    let parts = input.chunk_by(move |a, b| is_word(a) && is_word(b));
    parts.map(<[u8]>::to_vec)
}
