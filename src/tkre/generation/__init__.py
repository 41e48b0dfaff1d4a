"""Knowledge from a language model: requests, answers, what of them is kept. Never imports kedro."""
