//! What a link leads to, and what happens on it.

/// Which port of a node a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Port {
    /// SMTP.
    Smtp,
    /// LMTP.
    Deliver,
    /// Counted frames between a member and its master.
    Group,
    /// SMTP for clients that log in, in clear until STARTTLS.
    Submission,
    /// The same, under TLS from its first octet.
    Submissions,
}

impl Port {
    /// Those that every member has, and on which members talk to each other.
    pub(crate) const ALL: [Self; 3] = [Self::Smtp, Self::Deliver, Self::Group];
    /// Those for clients that log in.
    pub(crate) const LOGIN: [Self; 2] = [Self::Submission, Self::Submissions];

    /// Whether it is for clients that log in.
    pub(crate) const fn wants_login(self) -> bool {
        matches!(self, Self::Submission | Self::Submissions)
    }

    /// As configurations name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Deliver => "deliver",
            Self::Group => "group",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
        }
    }
}

/// What happens to what passes on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// It passes.
    Pass,
    /// A new connection is reset before its first octet.
    Refuse,
    /// A new connection is accepted; nothing is read, nothing comes.
    Blackhole,
    /// What the acceptor sends back is kept until the rule changes.
    Hold,
    /// What the acceptor sends back does not say that it offers STARTTLS.
    StripStarttls,
    /// After a forward line with this prefix has passed, what comes back is withheld and both ends
    /// are reset; then the link passes again.
    LoseReplyTo(String),
    /// The same, and from then on the link refuses.
    LoseReplyThenRefuse(String),
}

impl Rule {
    /// The line whose reply gets lost, and what comes then.
    pub(super) fn loses(&self) -> Option<(&str, Self)> {
        match self {
            Self::LoseReplyTo(line) => Some((line, Self::Pass)),
            Self::LoseReplyThenRefuse(line) => Some((line, Self::Refuse)),
            _ => None,
        }
    }

    /// As the record names it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Refuse => "refused",
            Self::Blackhole => "blackhole",
            Self::Hold => "hold",
            Self::StripStarttls => "strip-starttls",
            Self::LoseReplyTo(_) | Self::LoseReplyThenRefuse(_) => "lose-reply",
        }
    }
}
