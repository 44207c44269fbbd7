//! The words that loggers use for levels.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

/// Where a word is a level, rather than a part of a sentence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::translate::logs) enum Usage {
    /// In upper case, or in any case if it is marked, as in `warning:` or `[warning]`.
    Word,
    /// Only if it is marked, because the word is common in sentences.
    Marked,
    /// Only in upper case, and marked: a level of `java.util.logging` that is also an ordinary word.
    UpperMarked,
    /// Only in upper case, after a time or in brackets: an abbreviation.
    Code,
    /// Only in a field of a record.
    Field,
}

/// A word for a level.
#[derive(Debug)]
pub(in crate::translate::logs) struct Level {
    word: &'static str,
    pub(in crate::translate::logs) number: SeverityNumber,
    pub(in crate::translate::logs) usage: Usage,
}

/// All words, as appendix B of the log data model maps them: `critical` as in syslog, and `dpanic` and `panic` as in zap.
const LEVELS: &[(&str, SeverityNumber, Usage)] = &[
    ("trace", SeverityNumber::Trace, Usage::Word),
    ("verbose", SeverityNumber::Debug, Usage::Word),
    ("debug", SeverityNumber::Debug, Usage::Word),
    ("info", SeverityNumber::Info, Usage::Word),
    ("information", SeverityNumber::Info, Usage::Word),
    ("informational", SeverityNumber::Info, Usage::Word),
    ("notice", SeverityNumber::Info2, Usage::Word),
    ("warn", SeverityNumber::Warn, Usage::Word),
    ("warning", SeverityNumber::Warn, Usage::Word),
    ("err", SeverityNumber::Error, Usage::Word),
    ("error", SeverityNumber::Error, Usage::Word),
    ("crit", SeverityNumber::Error2, Usage::Word),
    ("critical", SeverityNumber::Error2, Usage::Word),
    ("alert", SeverityNumber::Error3, Usage::Word),
    ("emerg", SeverityNumber::Fatal, Usage::Word),
    ("emergency", SeverityNumber::Fatal, Usage::Word),
    ("fatal", SeverityNumber::Fatal, Usage::Word),
    // zap, logrus, zerolog, Postgres
    ("dpanic", SeverityNumber::Error2, Usage::Word),
    ("panic", SeverityNumber::Error3, Usage::Word),
    // java.util.logging
    ("severe", SeverityNumber::Error, Usage::Word),
    ("config", SeverityNumber::Debug3, Usage::UpperMarked),
    ("fine", SeverityNumber::Debug2, Usage::UpperMarked),
    ("finer", SeverityNumber::Debug, Usage::UpperMarked),
    ("finest", SeverityNumber::Trace, Usage::UpperMarked),
    // java.util.logging in Chinese
    ("严重", SeverityNumber::Error, Usage::Marked),
    ("警告", SeverityNumber::Warn, Usage::Marked),
    ("信息", SeverityNumber::Info, Usage::Marked),
    ("配置", SeverityNumber::Debug3, Usage::Marked),
    ("详细", SeverityNumber::Debug2, Usage::Marked),
    ("较详细", SeverityNumber::Debug, Usage::Marked),
    ("非常详细", SeverityNumber::Trace, Usage::Marked),
    // Chinese
    ("跟踪", SeverityNumber::Trace, Usage::Marked),
    ("调试", SeverityNumber::Debug, Usage::Marked),
    ("提示", SeverityNumber::Info, Usage::Marked),
    ("通知", SeverityNumber::Info2, Usage::Marked),
    ("注意", SeverityNumber::Info2, Usage::Marked),
    ("错误", SeverityNumber::Error, Usage::Marked),
    ("異常", SeverityNumber::Error, Usage::Marked),
    ("异常", SeverityNumber::Error, Usage::Marked),
    ("錯誤", SeverityNumber::Error, Usage::Marked),
    ("严重错误", SeverityNumber::Error2, Usage::Marked),
    ("致命", SeverityNumber::Fatal, Usage::Marked),
    ("致命错误", SeverityNumber::Fatal, Usage::Marked),
    // loguru, consola
    ("success", SeverityNumber::Info2, Usage::UpperMarked),
    // winston
    ("http", SeverityNumber::Debug4, Usage::Field),
    ("silly", SeverityNumber::Trace, Usage::Marked),
    // MySQL, Postgres, spdlog
    ("note", SeverityNumber::Info2, Usage::UpperMarked),
    ("log", SeverityNumber::Info, Usage::UpperMarked),
    ("system", SeverityNumber::Info, Usage::Field),
    // Microsoft.Extensions.Logging. `crit` with a category is more severe than in syslog: see `Header`.
    ("trce", SeverityNumber::Trace, Usage::Marked),
    ("dbug", SeverityNumber::Debug, Usage::Marked),
    ("fail", SeverityNumber::Error, Usage::Marked),
    // Serilog, zerolog
    ("vrb", SeverityNumber::Trace, Usage::Code),
    ("trc", SeverityNumber::Trace, Usage::Code),
    ("dbg", SeverityNumber::Debug, Usage::Code),
    ("inf", SeverityNumber::Info, Usage::Code),
    ("wrn", SeverityNumber::Warn, Usage::Code),
    ("ftl", SeverityNumber::Fatal, Usage::Code),
    ("pnc", SeverityNumber::Error3, Usage::Code),
    ("verb", SeverityNumber::Trace, Usage::Code),
    ("eror", SeverityNumber::Error, Usage::Code),
    ("fatl", SeverityNumber::Fatal, Usage::Code),
    // logrus, slog-term, log15
    ("trac", SeverityNumber::Trace, Usage::Code),
    ("debu", SeverityNumber::Debug, Usage::Code),
    ("debg", SeverityNumber::Debug, Usage::Code),
    ("erro", SeverityNumber::Error, Usage::Code),
    ("fata", SeverityNumber::Fatal, Usage::Code),
    ("pani", SeverityNumber::Error3, Usage::Code),
];

/// The longest word in bytes.
const MAX_WORD_BYTES: usize = 16;

impl Level {
    /// Returns the level that a word stands for, in upper or lower case.
    pub(in crate::translate::logs) fn of_word(word: &str) -> Option<Self> {
        let is_short = (1..=MAX_WORD_BYTES).contains(&word.len());
        let (word, number, usage) = LEVELS
            .iter()
            .find(|(name, ..)| is_short && name.eq_ignore_ascii_case(word))?;
        Some(Self {
            word,
            number: *number,
            usage: *usage,
        })
    }

    /// Returns the severity of this level plus an offset, as in `ERROR+4` of Go's `slog`.
    pub(in crate::translate::logs) fn plus(&self, offset: i32) -> SeverityNumber {
        let number = (self.number as i32).saturating_add(offset).clamp(1, 24);
        SeverityNumber::try_from(number).unwrap_or(self.number)
    }

    /// Whether the word has this spelling in lower case.
    pub(in crate::translate::logs) fn is(&self, word: &str) -> bool {
        self.word == word
    }
}
