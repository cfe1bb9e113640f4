"""The product's own sentences in a notice, in every language; plain words, short sentences.

`VERSION` is raised whenever a sentence changes: it is part of every notice's digest, so people are asked again.
"""

from collections.abc import Iterable, Mapping

VERSION = 2

# fmt: off
SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "who": "Registered with us for this. We checked who they are.",
        "sign_in_who": "Registered with us to let people sign in.",
        "why": "Why they ask",
        "basis": "What allows them to ask",
        "items": "What they will get",
        "items_text": "We fetched this for you a moment ago. Nobody else has seen it yet.",
        "optional": "What you may add",
        "optional_text": "You are treated the same if you leave these blank.",
        "until": "For how long",
        "until_once": "Once, for this form only. They cannot ask for it again without you.",
        "until_ongoing": "You choose: {durations}. Until then they may ask for the newest values. "
                         "You can stop sharing at any time in your account.",
        "processors": "Who else works with it",
        "processors_text": "They may get what you share, only to do this work. It counts as if the service itself asked.",
        "works_for": "{processor} works for {agency}.",
        "sources": "Where this comes from",
        "consequence": "If you do not share",
        "alternative": "Another way",
        "until_fixed": "For {durations}. Until then they may ask for the newest values. "
                       "You can stop sharing at any time in your account.",
        "kept": "They keep it for {days} at most.",
        "kept_mostly": "They keep it for {days} at most, unless its line says otherwise.",
        "correction": "Only {register} can correct it. Ask there. You need not share it until it is right.",
        "own_why": "What it is for",
        "own_basis": "What allows it",
        "own_items": "What it will hold",
        "own_items_text": "We fetch this from the register when your wallet collects it.",
        "own_until_once": "One copy, for your wallet. For another one you ask again.",
        "own_consequence": "If you do not add it",
        "own_kept": "It is good for {days} at most.",
        "own_kept_mostly": "It is good for {days} at most, unless its line says otherwise.",
        "comma": ", ",
        "or": " or ",
    },
    "ar": {
        "who": "مسجلة لدينا لهذا الغرض. وقد تحققنا من هويتها.",
        "sign_in_who": "مسجلة لدينا لتسجيل دخول الأشخاص.",
        "why": "لماذا يطلبون ذلك",
        "basis": "ما الذي يسمح لهم بالطلب",
        "items": "ما الذي سيحصلون عليه",
        "items_text": "جلبنا هذا لك قبل لحظات. ولم يره أحد غيرك بعد.",
        "optional": "ما يمكنك إضافته",
        "optional_text": "تُعامل المعاملة نفسها إذا تركت هذه الخانات فارغة.",
        "until": "لأي مدة",
        "until_once": "مرة واحدة، لهذا النموذج فقط. ولا يمكنهم طلبه مرة أخرى من دونك.",
        "until_ongoing": "أنت تختار: {durations}. وحتى ذلك الحين يمكنهم طلب أحدث القيم. "
                         "يمكنك إيقاف المشاركة في أي وقت من حسابك.",
        "processors": "من يعمل بها أيضًا",
        "processors_text": "قد تحصل على ما تشاركه لهذا العمل فقط. ويُحسب ذلك كما لو أن الخدمة نفسها طلبته.",
        "works_for": "الجهة {processor} تعمل لصالح {agency}.",
        "sources": "من أين تأتي هذه البيانات",
        "consequence": "إذا لم تشارك",
        "alternative": "طريقة أخرى",
        "until_fixed": "لمدة {durations}. وحتى ذلك الحين يمكنهم طلب أحدث القيم. "
                       "يمكنك إيقاف المشاركة في أي وقت من حسابك.",
        "kept": "يحتفظون به لمدة {days} على الأكثر.",
        "kept_mostly": "يحتفظون به لمدة {days} على الأكثر، ما لم يُذكر غير ذلك بجانبه.",
        "correction": "{register} وحده يستطيع تصحيحه. اطلب ذلك هناك. ولست مضطرًا إلى مشاركته قبل أن يصبح صحيحًا.",
        "own_why": "ما الغرض منه",
        "own_basis": "ما الذي يسمح به",
        "own_items": "ما الذي سيحتويه",
        "own_items_text": "نجلب هذا من السجل عندما تستلمه محفظتك.",
        "own_until_once": "نسخة واحدة لمحفظتك. وإذا أردت نسخة أخرى تطلبها من جديد.",
        "own_consequence": "إذا لم تُضفه",
        "own_kept": "يبقى صالحًا لمدة {days} على الأكثر.",
        "own_kept_mostly": "يبقى صالحًا لمدة {days} على الأكثر، ما لم يُذكر غير ذلك بجانبه.",
        "comma": "، ",
        "or": " أو ",
    },
}

#: (one, two, three to ten, eleven and more): Arabic has them all, English two of them.
UNITS: Mapping[str, Mapping[str, tuple[str, str, str, str]]] = {
    "en": {"day": ("1 day", "2 days", "{} days", "{} days"),
           "year": ("1 year", "2 years", "{} years", "{} years")},
    "ar": {"day": ("يوم واحد", "يومين", "{} أيام", "{} يومًا"),
           "year": ("سنة واحدة", "سنتين", "{} سنوات", "{} سنة")},
}
# fmt: on


def sentence(language: str, name: str, **parts: str) -> str:
    """Give one sentence, its parts filled in."""
    return SENTENCES[language][name].format(**parts)


def name_for(mode: str, name: str) -> str:
    """Choose the sentence: what people ask for themselves is not what others ask them for."""
    own = f"own_{name}"
    return own if mode == "explicit_request" and own in SENTENCES["en"] else name


def isolated(text: str) -> str:
    """Wrap letters of perhaps another direction, so that brackets around them stay in place (Unicode UAX #9)."""
    return f"\u2068{text}\u2069"


def span(days: int, language: str) -> str:
    """Say a number of days as people do: whole years as years, the rest as days."""
    unit, count = ("year", days // 365) if days % 365 == 0 else ("day", days)
    forms = UNITS[language][unit]
    if count <= 2:
        return forms[count - 1]
    few = 3 <= count % 100 <= 10  # CLDR plural rules: the category `few` of Arabic
    return forms[2 if few else 3].format(count)


def listed(names: Iterable[str], language: str) -> str:
    """Join names as a list."""
    return SENTENCES[language]["comma"].join(names)


def choice(options: list[str], language: str) -> str:
    """Join options as a choice: `a, b or c`."""
    words = SENTENCES[language]
    *before, last = options
    return words["or"].join([words["comma"].join(before), last]) if before else last
