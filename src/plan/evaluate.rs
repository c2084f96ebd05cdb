//! Values of override expressions, as naga parsed them, for given overrides.
//!
//! They are taken in 128 bits where WGSL takes them in 32: the iterations of a loop that no adapter could run must not wrap to
//! a small number.

use std::collections::{BTreeMap, BTreeSet};

use naga::{
    Arena, BinaryOperator, Constant, Expression, Handle, Literal, MathFunction, Module, Override,
    UnaryOperator,
};

/// The overrides, constants and module-scope expressions of a module.
#[derive(Clone, Debug)]
pub(super) struct Expressions {
    expressions: Arena<Expression>,
    constants: Arena<Constant>,
    overrides: Arena<Override>,
    names: BTreeMap<String, Handle<Override>>,
}

/// Values of overrides by name.
pub(super) type Values<'a> = &'a [(&'static str, f64)];

impl Expressions {
    pub(super) fn new(module: &Module) -> Self {
        let named = module.overrides.iter();
        Self {
            expressions: module.global_expressions.clone(),
            constants: module.constants.clone(),
            overrides: module.overrides.clone(),
            names: named
                .filter_map(|(handle, item)| Some((item.name.clone()?, handle)))
                .collect(),
        }
    }

    /// The names of all overrides.
    pub(super) fn override_names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// The value of an override; `None` if it depends on one without a value, or on anything but whole numbers.
    pub(super) fn override_value(&self, name: &str, values: Values) -> Option<i128> {
        self.value_of_override(*self.names.get(name)?, values)
    }

    /// The overrides that the value of an override depends on.
    pub(super) fn overrides_within(&self, name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        if let Some(init) = self
            .names
            .get(name)
            .and_then(|&item| self.overrides[item].init)
        {
            self.collect_overrides(init, &mut found);
        }
        found
    }

    fn collect_overrides(&self, expression: Handle<Expression>, found: &mut BTreeSet<String>) {
        let operands = match self.expressions[expression] {
            Expression::Override(item) => {
                found.extend(self.overrides[item].name.clone());
                vec![self.overrides[item].init]
            }
            Expression::Unary { expr, .. } | Expression::As { expr, .. } => vec![Some(expr)],
            Expression::Binary { left, right, .. } => vec![Some(left), Some(right)],
            Expression::Select {
                condition,
                accept,
                reject,
            } => vec![Some(condition), Some(accept), Some(reject)],
            Expression::Math { arg, arg1, .. } => vec![Some(arg), arg1],
            _ => Vec::new(),
        };
        for operand in operands.into_iter().flatten() {
            self.collect_overrides(operand, found);
        }
    }

    /// The value of a constant.
    pub(super) fn constant_value(&self, name: &str) -> Option<i128> {
        let mut constants = self.constants.iter();
        let (_, constant) =
            constants.find(|(_, constant)| constant.name.as_deref() == Some(name))?;
        self.value(constant.init, &[])
    }

    pub(super) fn value_of_override(
        &self,
        handle: Handle<Override>,
        values: Values,
    ) -> Option<i128> {
        let item = &self.overrides[handle];
        let given = values
            .iter()
            .find(|(name, _)| item.name.as_deref() == Some(name));
        match given {
            Some((_, value)) => Some(*value as i128),
            None => self.value(item.init?, values),
        }
    }

    pub(super) fn value(&self, handle: Handle<Expression>, values: Values) -> Option<i128> {
        let value = |handle: Handle<Expression>| self.value(handle, values);
        match &self.expressions[handle] {
            Expression::Literal(literal) => whole(literal),
            Expression::Constant(constant) => value(self.constants[*constant].init),
            Expression::Override(item) => self.value_of_override(*item, values),
            Expression::Unary { op, expr } => {
                let operand = value(*expr)?;
                match op {
                    UnaryOperator::Negate => Some(-operand),
                    UnaryOperator::LogicalNot => Some(i128::from(operand == 0)),
                    UnaryOperator::BitwiseNot => None,
                }
            }
            Expression::Binary { op, left, right } => binary(*op, value(*left)?, value(*right)?),
            Expression::Select {
                condition,
                accept,
                reject,
            } => value(if value(*condition)? == 0 {
                *reject
            } else {
                *accept
            }),
            Expression::Math {
                fun,
                arg,
                arg1: Some(arg1),
                ..
            } => {
                let (a, b) = (value(*arg)?, value(*arg1)?);
                match fun {
                    MathFunction::Min => Some(a.min(b)),
                    MathFunction::Max => Some(a.max(b)),
                    _ => None,
                }
            }
            Expression::As { expr, .. } => value(*expr),
            _ => None,
        }
    }
}

fn whole(literal: &Literal) -> Option<i128> {
    match *literal {
        Literal::U32(value) => Some(value.into()),
        Literal::I32(value) => Some(value.into()),
        Literal::AbstractInt(value) => Some(value.into()),
        Literal::Bool(value) => Some(i128::from(value)),
        _ => None,
    }
}

fn binary(op: BinaryOperator, a: i128, b: i128) -> Option<i128> {
    let truth = |value: bool| Some(i128::from(value));
    match op {
        BinaryOperator::Add => Some(a.saturating_add(b)),
        BinaryOperator::Subtract => Some(a.saturating_sub(b)),
        BinaryOperator::Multiply => Some(a.saturating_mul(b)),
        BinaryOperator::Divide => a.checked_div(b),
        BinaryOperator::Modulo => a.checked_rem(b),
        BinaryOperator::Equal => truth(a == b),
        BinaryOperator::NotEqual => truth(a != b),
        BinaryOperator::Less => truth(a < b),
        BinaryOperator::LessEqual => truth(a <= b),
        BinaryOperator::Greater => truth(a > b),
        BinaryOperator::GreaterEqual => truth(a >= b),
        BinaryOperator::LogicalAnd => truth(a != 0 && b != 0),
        BinaryOperator::LogicalOr => truth(a != 0 || b != 0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Expressions;

    fn value(expression: &str, values: &[(&'static str, f64)]) -> Option<i128> {
        let source = format!(
            "const SIX: u32 = 6u; override A: u32; override B: bool; override HALF = A / 2u;
             override X: u32 = {expression};"
        );
        let module = naga::front::wgsl::parse_str(&source).expect("it is WGSL");
        Expressions::new(&module).override_value("X", values)
    }

    #[test]
    fn expressions_have_the_values_of_wgsl_without_its_bounds() {
        assert_eq!(value("(A + 7u) / 4u * SIX", &[("A", 10.0)]), Some(24));
        assert_eq!(value("HALF % 4u + 1u", &[("A", 13.0)]), Some(3));
        assert_eq!(
            value(
                "select(max(A, SIX), min(A, SIX), B)",
                &[("A", 9.0), ("B", 1.0)]
            ),
            Some(6)
        );
        assert_eq!(
            value("select(1u, A, A > 3u && !B)", &[("A", 5.0), ("B", 0.0)]),
            Some(5)
        );
        assert_eq!(
            value("A * A", &[("A", 4e9)]),
            Some(16_000_000_000_000_000_000)
        );
        assert_eq!(value("A", &[]), None);
    }
}
