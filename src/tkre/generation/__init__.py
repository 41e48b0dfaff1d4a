"""Knowledge from a language model: requests, checks of answers, filters, knowledge texts."""
