//! Properties of the headers of a preflight response.

use proptest::prelude::*;

use super::*;
use proptest_support::{check, text};

#[test]
fn a_preflight_response_never_allows_anything_but_a_bounded_list_of_requested_names() {
    let pieces = &[
        ",",
        ",",
        ", ",
        "x-a",
        "traceparent",
        "a",
        "*",
        " ",
        "\t",
        "\r\n",
        ":",
        "\"",
        "é",
        "\0",
        "(",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "Content-Type",
        "content-type",
        "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,1,2,3,4,5,6,7,8,9",
    ];
    let classes = [
        "none",
        "some",
        "as many as there may be",
        "a name that is left out",
    ];
    check(&classes, text(pieces, 12), |requested, seen| {
        let allowed = allowed_headers(&requested);
        let names: Vec<_> = allowed.split(", ").collect();
        let (always, more) = names.split_at(ALWAYS_ALLOWED.len());
        prop_assert_eq!(always, ALWAYS_ALLOWED);
        prop_assert!(more.len() <= MAX_REQUESTED);
        seen.note(match more.len() {
            0 => "none",
            MAX_REQUESTED => "as many as there may be",
            _ => "some",
        });
        let given: Vec<_> = requested
            .split(',')
            .map(|name| name.trim_matches([' ', '\t']))
            .collect();
        for (at, name) in more.iter().enumerate() {
            // Each of them is one of the requested names, is sent once, and can be the name of a header.
            prop_assert!(given.contains(name));
            let before = always.iter().chain(&more[..at]);
            prop_assert!(
                before
                    .clone()
                    .all(|other| !other.eq_ignore_ascii_case(name))
            );
            let is_name = |c: char| c.is_ascii_graphic() && !"\"(),/:;<=>?@[\\]{}".contains(c);
            prop_assert!(!name.is_empty() && name.chars().all(is_name), "{name:?}");
            prop_assert!(*name != "*" && name.len() <= MAX_NAME_CHARS);
        }
        let left_out = given.iter().any(|name| {
            !name.is_empty() && !names.iter().any(|known| known.eq_ignore_ascii_case(name))
        });
        seen.note_if(left_out, "a name that is left out");
        Ok(())
    });
}
