//! Literals in the values of arguments.

use syn::{Expr, Lit, LitInt, LitStr, UnOp};

/// The kind of literal that a value is.
pub(super) enum Literal<'a> {
    Int(&'a LitInt),
    NegativeInt,
    Other,
    /// The value is not a literal but an expression.
    Expression,
}

pub(super) fn literal(value: &Expr) -> Literal<'_> {
    match ungrouped(value) {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(digits) => Literal::Int(digits),
            _ => Literal::Other,
        },
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => match literal(&unary.expr) {
            Literal::Int(_) => Literal::NegativeInt,
            other => other,
        },
        _ => Literal::Expression,
    }
}

pub(super) fn string_literal(value: &Expr) -> Option<&LitStr> {
    match ungrouped(value) {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) if text.suffix().is_empty() => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Removes parentheses and the invisible groups that `macro_rules!` creates.
pub(super) fn ungrouped(mut value: &Expr) -> &Expr {
    loop {
        value = match value {
            Expr::Group(group) => &group.expr,
            Expr::Paren(paren) => &paren.expr,
            _ => return value,
        };
    }
}
