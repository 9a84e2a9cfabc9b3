//! The guestbook.

fn main() {}
