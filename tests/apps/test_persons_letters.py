"""Letters of the entrance where no mail server takes them: whoever holds the machine sends them by hand."""

from lived import LivedStreet

from commonwatt.apps import persons
from commonwatt.flows.entrance import placing, recovering
from commonwatt.identity.seat import Role
from commonwatt.identity.signing_in.trail import Happened
from doorway import HERE

ORIGIN = "https://sun.example"


def test_letters_that_wait_are_handed_out_once_with_the_way_to_say_no_and_the_trail_tells(
    lived_copy: LivedStreet,
) -> None:
    folder = lived_copy.folder
    persons.add(folder, "anna", Role.MEMBER, "member-01", [], "anna@sun.example")
    begun, _ = persons.reset(folder, "anna")
    looked = persons.letters(folder, ORIGIN, keep=True)
    (one,) = persons.letters(folder, ORIGIN)
    assert looked == [one] and one.to == "anna@sun.example"
    no = one.text.split(f"{ORIGIN}/veto#")[1].split()[0]
    assert persons.letters(folder, ORIGIN) == []
    noted = [event.what for event, _ in persons.look_at_trail(folder).events]
    assert noted.count(Happened.LETTER_HANDED_OUT) == 1
    with persons._hall(folder) as hall:
        anna = placing.known(hall, "anna")
        recovering.veto_by_letter(hall, no, HERE)
        assert recovering.under_way_of(hall, anna) == [] and recovering.of(hall, anna)[0].id == begun.id
