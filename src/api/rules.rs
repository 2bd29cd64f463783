//! Rules that several types share.

use kube::core::cel::Rule;

/// What an amount looks like: no sign and no exponent, at most three decimals.
const QUANTITY: &str = "^[0-9]{1,12}([.][0-9]{1,3})?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$";

fn is_quantity(field: &str) -> String {
    format!("{field}.matches('{QUANTITY}')")
}

/// An optional field that is an amount.
pub fn quantity(field: &str, such_as: &str) -> Rule {
    let is = is_quantity(&format!("self.{field}"));
    Rule::new(format!("!has(self.{field}) || {is}"))
        .message(format!("{field} must be a quantity such as {such_as}").as_str())
}

/// `requests.field` is not above `limits.field`.
pub fn within_limits(field: &str) -> Rule {
    let (asked, most) = (
        format!("self.requests.{field}"),
        format!("self.limits.{field}"),
    );
    let either_lacks =
        format!("!has(self.requests) || !has(self.limits) || !has({asked}) || !has({most})");
    let (one, other) = (is_quantity(&asked), is_quantity(&most));
    Rule::new(format!(
        "{either_lacks} || !{one} || !{other} || quantity({asked}).compareTo(quantity({most})) <= 0"
    ))
    .message(format!("requests.{field} must not be above limits.{field}").as_str())
}

/// `size` is an amount of something.
pub fn size(such_as: &str) -> Rule {
    let is = is_quantity("self.size");
    Rule::new(format!(
        "{is} && quantity(self.size).isGreaterThan(quantity('0'))"
    ))
    .message(format!("size must be a quantity above 0 such as {such_as}").as_str())
}

/// `size` stays or grows.
pub fn size_grows() -> Rule {
    let (now, before) = (is_quantity("self.size"), is_quantity("oldSelf.size"));
    Rule::new(format!(
        "!{now} || !{before} || quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0"
    ))
    .message("size must not shrink")
}
