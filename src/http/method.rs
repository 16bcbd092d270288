//! The methods of HTTP. Pure.

/// The method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method<'a> {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
    /// A method that no path of this server takes.
    Other(&'a str),
}

impl<'a> Method<'a> {
    /// The methods that this server takes, in the order in which `Allow` lists them.
    pub const KNOWN: [Method<'static>; 5] = [
        Method::Get,
        Method::Head,
        Method::Post,
        Method::Delete,
        Method::Options,
    ];

    /// Reads the name of a method. Names are in upper case (RFC 9110, section 9.1).
    pub fn parse(name: &'a str) -> Self {
        let known = Method::KNOWN.into_iter().find(|known| known.name() == name);
        known.unwrap_or(Self::Other(name))
    }

    /// The name of the method.
    pub fn name(self) -> &'a str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_read_exactly_as_it_is_written() {
        for known in Method::KNOWN {
            assert_eq!(Method::parse(known.name()), known);
        }
        for other in ["get", "PURGE", "", "GET "] {
            assert_eq!(Method::parse(other), Method::Other(other));
            assert_eq!(Method::parse(other).name(), other);
        }
    }
}
