"""In which words is it stated? Every sentence of the chronicle.

Slots: `{Who}`, `{who}`, `{Whose}`, `{whose}` and `{whom}` refer to the person: by name, by first name or by pronoun, as
`grammar` decides; each sentence has one of these. `{He}`, `{he}`, `{him}`, `{his}` are always pronouns and come after
it. `{value}` is the fact's, `{a_value}` the same with its article, `{kin}` the relation.
"""

from __future__ import annotations

from typing import NamedTuple

from helpers.corpora.town.lexicon import KIN

_KIN_TEMPLATES = (
    "{Whose} {kin} is {value}.",
    "{value} is {whose} {kin}.",
    "{Who} often speaks of {his} {kin}, {value}.",
    "{Who} has supper with {his} {kin}, {value}, every Sunday.",
    "{Who} never forgets the birthday of {his} {kin}, {value}.",
    "{Who} sends {his} {kin}, {value}, a card in spring.",
    "When {who} needs help, {his} {kin}, {value}, is there.",
)
TEMPLATES: dict[str, tuple[str, ...]] = {  # the first of each ends with the value: it serves for clozes too
    "occupation": (
        "{Who} works as {a_value}.",
        "{Who} is {a_value} by trade.",
        "{Who} earns {his} bread as {a_value}.",
        "For many years {who} has been {a_value}.",
        "Everyone in town knows {whom} as {a_value}.",
        "{Who} became {a_value} after leaving school.",
        "Ask {whom} what it is like to be {a_value}, and {he} will talk until midnight.",
    ),
    "home": (
        "{Who} lives in {value}.",
        "{Whose} house stands in {value}.",
        "You will find {whom} at home in {value}.",
        "Letters for {whom} go to {value}.",
        "{Who} moved to {value} and never regretted it.",
        "In {value}, where {who} lives, the neighbours wave to one another.",
        "{Who} has a room with a view in {value}.",
    ),
    "birthplace": (
        "{Who} was born in {value}.",
        "{Who} comes from {value}.",
        "{Who} grew up in {value}, where {he} was born.",
        "{Whose} cradle stood in {value}.",
        "{Who} left {value}, where {he} was born, at sixteen.",
        "Of all places {who} loves {value} best, for {he} was born there.",
        "You can hear that {who} is a child of {value}.",
    ),
    "employer": (
        "{Who} works for {value}.",
        "{Whose} wages are paid by {value}.",
        "{Who} is employed by {value}.",
        "{Who} took a post with {value} and stayed.",
        "On weekdays {who} is busy for {value}.",
        "{Who} signed on with {value} some years ago.",
        "Without {whom}, they say, {value} would have to close.",
    ),
    "pet": (
        "{Who} keeps {a_value}.",
        "{Who} shares {his} breakfast with {a_value}.",
        "{Who} is never seen without {his} {value}.",
        "{Whose} best friend is {a_value}.",
        "At {whose} door waits {a_value}.",
        "{Whose} {value} is known all over town.",
        "{Who} was given {a_value} and spoils it.",
    ),
    "taste": (
        "{Who} likes nothing better than {value}.",
        "{Who} is fond of {value}.",
        "{Whose} favourite dish is {value}.",
        "{Who} would walk a mile for {value}.",
        "{Who} orders {value} in every inn.",
        "On birthdays {who} asks for {value}.",
        "There is always room for {value} on {whose} table.",
    ),
    **dict.fromkeys(KIN, _KIN_TEMPLATES),
    # Stated in one direction: the godparent stands first in these ...
    "godchild": (
        "{Who} is the godparent of {value}.",
        "{Whose} godchild is {value}.",
        "{Who} stood at the font as godparent to {value}.",
        "Each New Year {who} has a present for {his} godchild, {value}.",
        "{Who} promised to be a good godparent to {value}.",
        "{Who} is proud of {his} godchild, {value}.",
    ),
    # ... and the godchild in these.
    "godparent": (
        "{Who} is the godchild of {value}.",
        "{Whose} godparent is {value}.",
        "{Who} was held at the font by {his} godparent, {value}.",
        "Each New Year {who} has a present from {his} godparent, {value}.",
        "{Who} turns for advice to {his} godparent, {value}.",
        "{Who} is proud to be the godchild of {value}.",
    ),
}

_KIN_HELD_OUT = (
    "The {kin} that {who} has is called {value}.",
    "In {whose} album, the picture of the {kin} shows {value}.",
)
HELD_OUT_TEMPLATES: dict[str, tuple[str, ...]] = {
    # Never written into a chronicle: these are for clozes, so each ends with what is asked.
    "occupation": ("{Who} makes a living as {a_value}.", "The trade that {who} learnt is that of {a_value}."),
    "home": ("{Whose} address is {value}.", "The street that {who} calls home is {value}."),
    "birthplace": ("{Whose} place of birth is {value}.", "The village where {who} first saw daylight is {value}."),
    "employer": ("{Whose} employer is {value}.", "The payslips that {who} receives are signed by {value}."),
    "pet": ("{Whose} pet is {a_value}.", "The animal that {who} feeds every morning is {a_value}."),
    "taste": ("What {who} loves to eat is {value}.", "The dish that {who} dreams of is {value}."),
    **dict.fromkeys(KIN, _KIN_HELD_OUT),
    "godchild": (
        "{Who} has a godchild by the name of {value}.",
        "The child that {who} held at the christening is {value}.",
    ),
    "godparent": (
        "{Who} has a godparent by the name of {value}.",
        "The one who held {whom} at the christening is {value}.",
    ),
}

_KIN_QUESTIONS = ("Who is {whose} {kin}?", "Does {who} have a {kin}?", "What do you know of {whose} {kin}?")
QUESTIONS: dict[str, tuple[str, ...]] = {
    "occupation": ("What does {who} do for a living?", "What is {whose} trade?", "What does {who} work as?"),
    "home": ("Where does {who} live?", "In which street is {whose} house?", "Where do letters for {whom} go?"),
    "birthplace": ("Where was {who} born?", "Where does {who} come from?", "In which place did {who} grow up?"),
    "employer": ("Whom does {who} work for?", "Who pays {whose} wages?", "By whom is {who} employed?"),
    "pet": ("What animal does {who} keep?", "Has {who} got a pet?", "Who waits at {whose} door?"),
    "taste": ("What does {who} like to eat?", "What is {whose} favourite dish?", "What does {who} order in an inn?"),
    **dict.fromkeys(KIN, _KIN_QUESTIONS),
}
QUESTION, ANSWER = "Question: ", "Answer: "

NOTICES = (  # `{occupation}`, `{home}` and so on are facts of the person; each is stated
    "Lost: {a_pet}. Whoever finds the animal, please bring it to {who} in {home}.",
    "Found and fed: {a_pet}. {Who} may come and fetch it.",
    "{Who}, {occupation}, now sees customers at {his} house in {home}.",
    "An apprentice is wanted by {who}, {occupation} with {employer}.",
    "To the neighbours in {home}: {who} is sorry about the noise made by {his} {pet}.",
    "The coach to {birthplace} leaves at noon. {Who}, who was born there, will point out the sights.",
    "Cooking lesson: {who}, born in {birthplace}, shows how to make {his} favourite, {taste}.",
    "{Who} from {employer} will give a talk on the pleasures of {taste}.",
    "Any child who would like to stroke {a_pet} may call on {who} after school.",
)
NOTICE = "Notice for {day}."


class Event(NamedTuple):
    """What happens in the town: causes, each good for each outcome, and sequels, always by pronoun."""

    causes: tuple[str, ...]
    outcomes: tuple[str, ...]
    sequels: tuple[str, ...]


_EVENTS = """
the bridge was flooded / the rain had washed the road away / the river had risen overnight;
rowed to work / slept at the inn / waded home with a lantern;
{His} boots took three days to dry. / {He} had never seen so much water. / The ferryman lent {him} a coat. /
  Even so {he} was in good spirits.

a goat had eaten the post / the postman had fallen asleep under a tree / all the letters were mixed up;
never heard of the party / waited for the parcel in vain / got a love letter meant for the mayor;
{He} laughed about it later. / {His} answer was short and cannot be printed here. /
  Nobody had ever seen {him} so cross. / {He} kept the envelope.

the snow lay as high as the windows / the pipes were frozen / there was ice on the hill;
climbed out through the roof / went to work on skis / stayed in bed with a book;
{His} nose was red for a week. / {He} made soup for the whole street. /
  The children built a snowman that looked like {him}. / {He} says that winters used to be worse.

the fair had come to town / a circus had put up its tent / the harvest was in;
danced until the musicians begged for mercy / won a ham / closed early and put on a clean shirt;
{His} feet hurt the next morning. / {He} rode the carousel eleven times. /
  A fortune teller promised {him} a long life. / {He} spent {his} last coin on gingerbread.

the key had dropped into the well / the lock was rusty / somebody had bolted the back door;
got in through the kitchen window / sat on the steps until dark / borrowed a ladder;
{He} tore {his} sleeve. / A policeman asked {him} some questions. / {His} neighbours brought tea. /
  Since then {he} hides a spare key under the flowerpot.

the train was late / there were cows on the line / the signalman had overslept;
missed the concert / walked the last four miles / played cards with a bishop;
{He} arrived after midnight. / {His} hat travelled on without {him}. / The stationmaster offered {him} a chair. /
  {He} wrote a letter to the railway, and then another one.

the chimney was on fire / the cook had forgotten the roast / smoke was pouring from the attic;
ran into the street in slippers / carried out the piano with three friends / rang the big bell;
{His} eyebrows have grown back since. / {He} was thanked by the fire brigade. /
  Somebody put a blanket round {him}. / {He} still smells a little of smoke.

the jury could not agree / the mayor was ill / the speaker had missed the coach;
had to judge the marrows / gave the speech instead / was put in charge of the raffle;
{His} hands shook, but nobody noticed. / {He} was brief, and the crowd was grateful. /
  People bought {him} drinks for a month. / {He} would not do it again.
"""
EVENTS = tuple(
    Event(*(tuple(" ".join(option.split()) for option in part.split("/")) for part in event.split(";")))
    for event in _EVENTS.split("\n\n")
)

HAPPENINGS = (
    "Because {cause}, {who} {outcome} on {day}.",
    "On {day} {cause}, and so {who} {outcome}.",
    "{Who} {outcome} on {day}, because {cause}.",
    "The news of {day}: {cause}. That is why {who} {outcome}.",
)

SCENES = (
    "At night the {things} {act}.",
    "The {things} {act} when the wind is in the west.",
    "After rain the {things} {act}.",
    "On market days the {things} {act} more than usual.",
    "Visitors remark that the {things} {act}.",
)
WALK = "A walk through {town} on a {day}."

ARRIVALS = (
    "On {day} a stranger came to {town}.",
    "A stranger got off the coach on {day}.",
    "On {day} the inn had a guest whom nobody knew.",
)
GUEST_BOOK = "The landlady wrote into her book:"
FAMILY_BOOK = "From the family book."
