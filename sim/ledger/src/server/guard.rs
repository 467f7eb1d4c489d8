//! Guard against requests of web pages. A web page can reach every port of the machine that opens it: by a name that it makes
//! resolve to this address, which shows in `Host`, or straight, which shows in `Origin`. Pure.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, Uri, header, uri::Authority};

use crate::config::Origins;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// HTTP/1.1 demands one.
    #[error("a request must name its host\n")]
    NoHost,
    /// It names another machine.
    #[error("this is not {0}: expected an address or localhost as the host\n")]
    Host(String),
    /// A web page asks.
    #[error("web pages of {0} are not answered; the option --cors allows them\n")]
    Origin(String),
}

/// Checks what a request says of whom it asks and where it comes from. Returns the origin to be allowed in the answer, if
/// a web page asks.
pub(super) fn check(headers: &HeaderMap, uri: &Uri, origins: &Origins) -> Result<Option<HeaderValue>, Refusal> {
    let host = match (uri.authority(), headers.get(header::HOST)) {
        (Some(authority), _) => authority.clone(),
        (None, Some(host)) => Authority::try_from(host.as_bytes())
            .map_err(|_| Refusal::Host(String::from_utf8_lossy(host.as_bytes()).into_owned()))?,
        (None, None) => return Err(Refusal::NoHost),
    };
    let name = host.host().trim_start_matches('[').trim_end_matches(']');
    if !name.eq_ignore_ascii_case("localhost") && name.parse::<IpAddr>().is_err() {
        return Err(Refusal::Host(name.to_owned()));
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(None) };
    let allowed = match origins {
        Origins::None => false,
        Origins::All => true,
        Origins::These(allowed) => allowed.iter().any(|one| one.as_bytes() == origin.as_bytes()),
    };
    match allowed {
        true => Ok(Some(origin.clone())),
        false => Err(Refusal::Origin(String::from_utf8_lossy(origin.as_bytes()).into_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(host: Option<&str>, origin: Option<&str>, origins: &Origins) -> Result<Option<HeaderValue>, Refusal> {
        let mut headers = HeaderMap::new();
        for (name, value) in [(header::HOST, host), (header::ORIGIN, origin)] {
            if let Some(value) = value {
                headers.insert(name, value.parse().unwrap());
            }
        }
        check(&headers, &Uri::from_static("/"), origins)
    }

    #[test]
    fn an_address_and_localhost_are_this_machine_and_no_other_name_is() {
        for host in ["127.0.0.1:8899", "127.0.0.1", "localhost:9", "LocalHost", "[::1]:8899", "192.0.2.1:80"] {
            assert_eq!(checked(Some(host), None, &Origins::None), Ok(None), "{host}");
        }
        for host in ["evil.example:8899", "localhost.evil.example", "127.0.0.1.evil.example", "a"] {
            let name = host.split(':').next().unwrap().to_owned();
            assert_eq!(checked(Some(host), None, &Origins::All), Err(Refusal::Host(name)), "{host}");
        }
        assert_eq!(checked(Some("a b"), None, &Origins::All), Err(Refusal::Host("a b".to_owned())));
        assert_eq!(checked(None, None, &Origins::All), Err(Refusal::NoHost));
    }

    #[test]
    fn a_web_page_is_answered_if_it_is_allowed() {
        let page = "https://app.example";
        let these = Origins::These(vec!["http://localhost:3000".to_owned(), page.to_owned()]);
        let ask = |origins: &Origins, origin| checked(Some("localhost"), Some(origin), origins);
        assert_eq!(ask(&Origins::None, page), Err(Refusal::Origin(page.to_owned())));
        assert_eq!(ask(&Origins::All, page), Ok(Some(HeaderValue::from_static(page))));
        assert_eq!(ask(&these, page), Ok(Some(HeaderValue::from_static(page))));
        assert_eq!(
            ask(&these, "https://app.example.evil"),
            Err(Refusal::Origin("https://app.example.evil".to_owned()))
        );
    }
}
