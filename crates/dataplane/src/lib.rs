//! Services, endpoints and policies in, route tables out.
