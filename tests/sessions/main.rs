//! The sessions and the server that routes between them and custody.

mod busy;
mod deliver;
mod group;
mod joined;
mod limits;
mod logins;
mod members;
mod offer;
mod random;
mod received;
mod relay;
mod resume;
mod smtp;
mod stage;
mod submission;
mod tenant;
mod unfit;
