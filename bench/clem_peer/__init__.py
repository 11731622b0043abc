"""The peer: clemcore plays scripted episodes of two games in its own environment, and says how long it took.

`make clem` builds the environment. Then, from the root of the repository:

    .venv-clem/bin/python -m bench.clem_peer PLAN.json --mode bare
    .venv-clem/bin/python -m bench.clem_peer PLAN.json --mode recorded --dir SOMEWHERE
    .venv-clem/bin/python -m bench.clem_peer --serve    # one JSON request a line in, one JSON answer a line out

From Python, `bench.common.Peer` starts it with `--serve`, so that clemcore is imported once (several seconds) and
repeats of ours and theirs can take turns. A request is `{"plan": PLAN or its path, "mode": "bare" | "recorded",
"dir": where to record (default: a temporary directory, removed afterwards), "faithful": false, "together": 1}`.

A plan is data: `{"game": "taboo" | "wordle", "prompts": {...}, "words": [...], "episodes": [{"target": "river",
"related": ["water", "flow", "stream"], "texts": ["CLUE: …", "GUESS: …", …]}]}`. `texts` are the replies of both
players in the order of their turns; they must end the game exactly. `prompts` are the templates of the briefings
(`describer` and `guesser` with `$target`, `$related`, `$rounds`; `guesser` and `again` for Wordle), `words` are
Taboo's stop words or Wordle's allowed guesses. `related` is Taboo's alone.

`bare` is the loop of an embedder: a game master per episode, context, step, until done; no logger is attached.
`recorded` is clemcore's own runner with the callbacks of `clem run`, which write four to six JSON files an episode;
`together` above 1 takes that of `clem run -b`, which keeps so many episodes under way.
The answer holds episodes, steps, outcomes, wall and CPU seconds of the play alone, and what was written.

The two games are ours, written for this purpose on clemcore's public classes, since clembench's are not a package.
They follow the rules and log the events of clembench 3.0, and leave out what costs time without being a rule: stop
words and allowed words are sets, where clembench looks through lists; forbidden words are stemmed once an episode,
where clembench does it at every clue; the word list is not copied into every experiment; there is no critic, no
model, no re-prompt after an unknown word, no progress bar. `--faithful` (`"faithful": true` in a request) looks
through lists and stems at every clue, as clembench does.
"""
