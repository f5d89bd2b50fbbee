"""National numbers of organisations, each checked as its country writes it (python-stdnum, and registers it lacks)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stdnum import get_cc_module
from stdnum.at import businessid as at_businessid
from stdnum.be import vat as be_vat
from stdnum.cz import dic as cz_dic
from stdnum.dk import cvr as dk_cvr
from stdnum.ee import registrikood as ee_registrikood
from stdnum.es import nif as es_nif
from stdnum.exceptions import (
    InvalidChecksum,
    InvalidComponent,
    InvalidFormat,
    InvalidLength,
    ValidationError,
)
from stdnum.fi import ytunnus as fi_ytunnus
from stdnum.fr import siren as fr_siren
from stdnum.fr import siret as fr_siret
from stdnum.it import iva as it_iva
from stdnum.lv import pvn as lv_pvn
from stdnum.no import orgnr as no_orgnr
from stdnum.pl import nip as pl_nip
from stdnum.pl import regon as pl_regon
from stdnum.se import orgnr as se_orgnr

_REASONS: Mapping[type[ValidationError], str] = {
    InvalidChecksum: "its check digit is wrong, so probably one digit was mistyped",
    InvalidLength: "it has too few or too many digits",
    InvalidFormat: "it holds characters that do not belong there",
    InvalidComponent: "a part of it cannot be",
}
_VAT_PREFIX = {"GR": "EL"}


def _digits(length: int) -> Callable[[str], str]:
    def validate(number: str) -> str:
        compact = re.sub(r"[\s.-]", "", number)
        if not compact.isascii() or not compact.isdigit():
            raise InvalidFormat
        if len(compact) != length:
            raise InvalidLength
        return compact

    return validate


def _german(number: str) -> str:
    # The court is part of it: HRB 12345 exists in every town.
    compact = " ".join(number.replace(",", " ").split())
    if not re.fullmatch(r"(HRA|HRB|GnR|PR|VR) ?[0-9]{1,6}( ?[A-Z]{1,2})? [^\W\d].*", compact):
        raise InvalidFormat
    return compact


def _krs(number: str) -> str:
    compact = _digits(10)(number)
    # It has no check digit; a tax number, which never begins with 0, must not pass for one.
    if not compact.startswith("0"):
        raise InvalidComponent
    return compact


def _latvian(number: str) -> str:
    compact: str = lv_pvn.validate(number)
    # Below that begin the codes of natural persons.
    if compact[0] < "4":
        raise InvalidComponent
    return compact


@dataclass(frozen=True)
class _Register:
    """A country's register: what its number is called, an example, and the checks of which one must pass."""

    called: str
    example: str
    checks: tuple[Callable[[str], str], ...]


_REGISTERS: Mapping[str, _Register] = {
    "AT": _Register("an Austrian company number (Firmenbuchnummer)", "FN 122119m", (at_businessid.validate,)),
    "BE": _Register("a Belgian enterprise number", "0403.019.261", (be_vat.validate,)),
    "CZ": _Register("a Czech identification number (IČO)", "25123891", (cz_dic.validate,)),
    "DE": _Register("a German register number with its court", "HRB 11223 Hamburg", (_german,)),
    "DK": _Register("a Danish CVR number", "13585628", (dk_cvr.validate,)),
    "EE": _Register("an Estonian registry code", "12345678", (ee_registrikood.validate,)),
    "ES": _Register("a Spanish tax number (NIF)", "A13585625", (es_nif.validate,)),
    "FI": _Register("a Finnish business id (Y-tunnus)", "2077474-0", (fi_ytunnus.validate,)),
    "FR": _Register("a French SIREN or SIRET number", "552008443", (fr_siren.validate, fr_siret.validate)),
    "IT": _Register("an Italian partita IVA", "00743110157", (it_iva.validate,)),
    "LT": _Register("a Lithuanian legal entity code", "302296711", (_digits(9), _digits(7))),
    "LV": _Register("a Latvian registration number", "40003521600", (_latvian,)),
    "NL": _Register("a Dutch KvK number", "17014545", (_digits(8),)),
    "NO": _Register("a Norwegian organisation number", "988077917", (no_orgnr.validate,)),
    "PL": _Register("a Polish KRS, REGON or NIP number", "0000123456", (pl_regon.validate, pl_nip.validate, _krs)),
    "SE": _Register("a Swedish organisation number", "1234567897", (se_orgnr.validate,)),
}


def registration_number(number: str, *, country: str) -> str:
    """The number as its register writes it. Raises ValueError with a sentence."""
    register = _REGISTERS.get(country)
    if register is None:
        return _anywhere(number, what="a registration number")
    problem: ValidationError | None = None
    for check in register.checks:
        try:
            return check(number)
        except ValidationError as error:
            # The first check is the register's usual number, so its complaint is the one to tell.
            problem = problem or error
    raise ValueError(_sentence(register.called, problem, example=register.example))


def vat_number(number: str, *, country: str) -> str:
    """The VAT number with its country's prefix. Raises ValueError with a sentence."""
    module: Any = get_cc_module(country, "vat")
    if module is None:
        return _anywhere(number, what="a VAT number")
    prefix = _VAT_PREFIX.get(country, country)
    try:
        compact = str(module.validate(number))
    except ValidationError as error:
        raise ValueError(_sentence(f"a VAT number of that country ({prefix}…)", error)) from None
    return compact if compact.startswith(prefix) else prefix + compact


def _anywhere(number: str, *, what: str) -> str:
    compact = " ".join(number.split()).upper()
    if not re.fullmatch(r"[0-9A-Z][0-9A-Z ./-]{2,38}[0-9A-Z]", compact):
        raise ValueError(f"should be {what}: 4 to 40 letters, digits, spaces, dots, dashes and slashes")
    return compact


def _sentence(called: str, problem: ValidationError | None, *, example: str | None = None) -> str:
    reason = next((text for kind, text in _REASONS.items() if isinstance(problem, kind)), "it cannot be one")
    return f"is not {called}: {reason}" + (f"; one looks like {example}" if example else "")
